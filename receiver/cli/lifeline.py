"""A child's end of the pipe that `receiver up` holds: when it closes, the parent is gone, however it died."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


def follow_parent(drain_seconds: float) -> None:
    """From now on SIGTERM this process when standard input ends, and end it for good `drain_seconds` later.

    A pipe works where Linux's PR_SET_PDEATHSIG does not exist, and cannot miss a parent that died before it was asked.
    """
    threading.Thread(target=_watch, args=(drain_seconds,), name="lifeline", daemon=True).start()


def _watch(drain_seconds: float) -> None:
    stdin = sys.__stdin__.fileno() if sys.__stdin__ else 0
    while os.read(stdin, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(drain_seconds)
    os._exit(1)

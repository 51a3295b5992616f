"""What SIGHUP means: where there is a terminal that it was closed, else that the rules file is to be read again."""

from __future__ import annotations

import os
import signal


def has_terminal() -> bool:
    """Whether this process belongs to a terminal. Services and containers do not."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def heed_hangup() -> None:
    """Let SIGHUP through to this process, which `receiver up` has started with the signal blocked.

    To be called once there is a handler for it: until then the signal waits. With a terminal it stays blocked, because
    there it reaches every process of the group, and it is for `receiver up` to act on.
    """
    if not has_terminal():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])

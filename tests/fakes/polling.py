"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.02


class TimedOut(AssertionError):
    """What was waited for did not come about in time."""


def wait_until(holds: Callable[[], bool], timeout: float = 10, what: str = "the condition") -> None:
    """Returns as soon as `holds()` is true; TimedOut, which names `what`, after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise TimedOut(f"not within {timeout:g} s: {what}")
        time.sleep(_PAUSE_SECONDS)

"""Notices that a channel takes nothing at all: its messages then wait, instead of failing one by one."""

from __future__ import annotations

import time

# One message may fail for a reason of its own, however often it is tried.
MESSAGES = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 15.0


class Outage:
    """What the last attempts of one queue say of its other side. Whoever shares it among threads locks it."""

    def __init__(self) -> None:
        self._failed: set[int] = set()  # the jobs since the last success, no more than matter
        self._pauses = 0
        self._until = 0.0

    def note(self, job_id: int, is_reached: bool | None) -> float:
        """After an attempt: for how many seconds none of the queue should be begun; 0: go on.

        `is_reached`: whether the other side took it; None: that was not found out. Each pause is twice as long as the
        one before it. What was under way when one began changes nothing more.
        """
        if is_reached is None:
            return 0.0
        if is_reached:
            self._failed.clear()
            self._pauses = 0
            return 0.0
        if len(self._failed) < MESSAGES:
            self._failed.add(job_id)
        now = time.monotonic()
        if len(self._failed) < MESSAGES or now < self._until:
            return 0.0
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._pauses)
        self._pauses = min(self._pauses + 1, 10)
        self._until = now + pause
        return pause

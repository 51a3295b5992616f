"""One thread that watches the clock for all requests: a timer thread for each cost as much as the rest of a request."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable


class Alarm:
    """Calls `ring` after `seconds` unless it is cancelled before. `ring` must be quick: it holds up other alarms."""

    __slots__ = ("_ring",)

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self._ring: Callable[[], None] | None = ring
        _clock.add(time.monotonic() + seconds, self)

    def cancel(self) -> None:
        """Do not ring any more. It may be ringing right now."""
        self._ring = None

    @property
    def is_cancelled(self) -> bool:
        """Whether there is nothing left to do."""
        return self._ring is None

    def ring(self) -> None:
        """What is to be done when the time has come."""
        ring = self._ring
        if ring is not None:
            ring()


class _Clock:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = itertools.count()  # alarms of the same moment have no order of their own
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._thread: threading.Thread | None = None

    def add(self, when: float, alarm: Alarm) -> None:
        with self._changed:
            heapq.heappush(self._alarms, (when, next(self._order), alarm))
            # Not alive: a bug in what an alarm did has ended it. Others must not be without limits because of that.
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="alarms", daemon=True)
                thread.start()
                self._thread = thread
            elif self._alarms[0][2] is alarm:  # nearly always another one is due before it
                self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next().ring()

    def _next(self) -> Alarm:
        """Wait for the next alarm to be due. Those that were cancelled meanwhile leave with those before them."""
        with self._changed:
            while True:
                while self._alarms and self._alarms[0][2].is_cancelled:
                    heapq.heappop(self._alarms)
                if not self._alarms:
                    self._changed.wait()
                    continue
                left = self._alarms[0][0] - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._alarms)[2]
                self._changed.wait(left)


_clock = _Clock()


def _begin_anew() -> None:
    global _clock
    _clock = _Clock()


# A child process has no thread but the one that forked, and perhaps a lock that nobody will give back.
os.register_at_fork(after_in_child=_begin_anew)

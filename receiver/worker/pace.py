"""How many jobs of a queue a worker holds at once: as many as it can start now, and more when they are quick."""

from __future__ import annotations

# A claim is a transaction, so jobs that take a millisecond must be claimed many at a time. But whoever claims more
# than it can start keeps them from other workers; that may last this long, by what the last jobs took.
AHEAD_SECONDS = 0.1
LARGEST_WIDTH = 100
_WEIGHT_OF_NEWEST = 0.2


class Pace:
    """Follows how long the jobs of one queue take."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._average_seconds = AHEAD_SECONDS

    def note(self, seconds: float) -> None:
        """One more job took `seconds`."""
        if seconds > self._average_seconds:
            self._average_seconds = seconds  # believed at once: the next one may be as slow
        else:
            self._average_seconds += (seconds - self._average_seconds) * _WEIGHT_OF_NEWEST

    def width(self, longest_running_seconds: float = 0.0) -> int:
        """How many jobs to hold, at least one per thread, while one has been running for so long already."""
        seconds = max(self._average_seconds, longest_running_seconds, 1e-6)
        return max(self._threads, min(int(self._threads * AHEAD_SECONDS / seconds), LARGEST_WIDTH))

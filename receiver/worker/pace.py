"""How many jobs of a queue a worker holds at once: as many as it can start now, and more when they are quick."""

from __future__ import annotations

# A claim is a transaction, so jobs that take a millisecond must be claimed many at a time. But whoever claims more
# than it can start keeps them from other workers; that may last this long, by what the last jobs took. In a storm a
# message takes a thread some 20 ms, most of which it waits for its turn.
AHEAD_SECONDS = 0.25
LARGEST_WIDTH = 100
# What one thread takes at a time. What it reads of them all at once must still be true when their turns come.
HANDFUL_SECONDS = 0.2
LARGEST_HANDFUL = 25
_WEIGHT_OF_NEWEST = 0.2


class Pace:
    """Follows how long the jobs of one queue take."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._average_seconds = AHEAD_SECONDS

    def note(self, seconds: float) -> None:
        """One more job took `seconds`."""
        # One that was slow says little of the next; one that hangs is seen while it does.
        self._average_seconds += (seconds - self._average_seconds) * _WEIGHT_OF_NEWEST

    def handful(self, waiting: int) -> int:
        """How many of so many jobs that wait one thread takes: at least one, and no more than its share."""
        share = -(-waiting // self._threads)
        return max(1, min(share, int(HANDFUL_SECONDS / max(self._average_seconds, 1e-6)), LARGEST_HANDFUL))

    def width(self, longest_running_seconds: float = 0.0) -> int:
        """How many jobs to hold, at least one per thread, while one has been running for so long already."""
        seconds = max(self._average_seconds, longest_running_seconds, 1e-6)
        return max(self._threads, min(int(self._threads * AHEAD_SECONDS / seconds), LARGEST_WIDTH))

"""How large a batch of cleaning up may be, and how long to rest after it, by how long the last ones took."""

from __future__ import annotations

from dataclasses import dataclass

# A batch that takes longer is too large for what the database has to spare just now.
LONG_SECONDS = 0.05
# Fewer rows than the least would not make it shorter: the time goes into waiting for a disk or a core that is busy.
MOST_ROWS, LEAST_ROWS = 400, 80
_FIRST_ROWS = 100  # nobody knows yet what the database has to spare
_STEP = 20
_SHORTEST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(slots=True)
class BatchPace:
    """Halves after a batch that took long, grows slowly after short ones: it comes to rest where nobody notices."""

    most: int = MOST_ROWS
    least: int = LEAST_ROWS
    rows: int = _FIRST_ROWS

    def __post_init__(self) -> None:
        self.rows = max(self.least, min(self.rows, self.most))

    def after(self, seconds: float) -> float:
        """Take in how long a batch of `rows` took; returns for how many seconds to leave the database to others.

        As long as it took, so that others have half of the time; twice as long where it took long.
        """
        rest = seconds
        if seconds > LONG_SECONDS:
            self.rows = max(self.least, self.rows // 2)
            rest = 2 * seconds
        elif seconds < LONG_SECONDS / 2:
            self.rows = min(self.most, self.rows + _STEP)
        return min(_SHORTEST_PAUSE_SECONDS + rest, _LONGEST_PAUSE_SECONDS)

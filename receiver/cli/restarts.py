"""Whether a child that ended is started again, and when. Pure, so that a test needs no processes and no waiting."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.cli.exits import Exit

# A child that ran this long had started well: what ended it is not what it was started with.
STABLE_SECONDS = 20.0
MOST_QUICK_ENDS = 5
_FIRST_DELAY_SECONDS = 0.5

# Starting again cannot mend these.
_FINAL = (Exit.SETTINGS, Exit.SCHEMA)


@dataclass(slots=True)
class Restarts:
    """The history of one child."""

    quick_ends: int = 0

    def delay_seconds(self, status: int, lived_seconds: float) -> float | None:
        """How long to wait before the next start, doubling with each quick end in a row; None: give up."""
        if status in _FINAL:
            return None
        self.quick_ends = 1 if lived_seconds >= STABLE_SECONDS else self.quick_ends + 1
        if self.quick_ends >= MOST_QUICK_ENDS:
            return None
        return _FIRST_DELAY_SECONDS * 2.0 ** (self.quick_ends - 1)

"""How hard it is tried, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.kinds.base import Fault


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard it is tried. `stretch`: how much longer than need be each fault lasts; `rate`: requests a second.

    `alerts`: how many the fault `million` has acknowledged in all faults together; `crash_rounds`: how many there are.
    `is_timed`: whether the checkers count that depend on how busy the machine is with other things.
    """

    rate: float = 60.0
    stretch: float = 1.0
    calm_seconds: float = 3.0
    largest_group: int = 4
    alerts: int = 1_000_000
    crash_rounds: int = 600
    is_timed: bool = True


@dataclass(slots=True)
class Verdict:
    """What became of one fault. `found`: what each checker that is not content found."""

    fault: Fault
    seconds: float = 0.0
    left_out: str = ""
    found: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether no checker found anything."""
        return not self.found

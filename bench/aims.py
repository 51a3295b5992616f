"""What figures should be, and whether they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Aim:
    """At least `bound`, or `below` it."""

    bound: float
    below: bool = False

    def is_met(self, value: float) -> bool:
        """Whether the value is what it should be."""
        return value < self.bound if self.below else value >= self.bound

    def text(self, digits: int = 0) -> str:
        """For people: `3,000` or `under 25`."""
        return f"{'under ' if self.below else ''}{self.bound:,.{digits}f}"

    def verdict(self, value: float) -> str:
        """`met`, or by what factor it is missed."""
        if self.is_met(value):
            return "met"
        if not value or not self.bound:
            return "missed"
        factor = value / self.bound if self.below else self.bound / value
        return f"missed, {factor:.1f} x"


def at_least(bound: float) -> Aim:
    """An aim that figures are to reach."""
    return Aim(bound)


def under(bound: float) -> Aim:
    """An aim that figures are to stay below."""
    return Aim(bound, below=True)

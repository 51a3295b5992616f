"""What a report is: sections of columns and rows, about a period; and what durations say all in all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Value = str | int | float | datetime | None


class Kind(StrEnum):
    """What a column holds, which decides how it is written."""

    TEXT = "text"
    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"  # 0 to 1
    RATIO = "ratio"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """`name`: as JSON and CSV have it."""

    name: str
    kind: Kind = Kind.COUNT


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the report. In each row a value (or None: there is none) for each column."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about a period. `until` is not included. `counted_at`: as of when the roll-ups are."""

    name: str
    title: str
    since: datetime
    until: datetime
    sections: Sequence[Section]
    notes: Sequence[str] = ()
    counted_at: datetime | None = None


@dataclass(slots=True)
class Durations:
    """Whole seconds, and how often each occurs."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, texts: str | None) -> None:
        """Take in numbers as a database joins them: `12,7,12`; None for none at all."""
        if texts:
            for seconds, number in Counter(texts.split(",")).items():
                self.counts[int(seconds)] += number

    @property
    def number(self) -> int:
        """How many there are."""
        return self.counts.total()

    def mean(self) -> float | None:
        """Their arithmetic mean."""
        number = self.number
        return sum(seconds * count for seconds, count in self.counts.items()) / number if number else None

    def summary(self) -> tuple[float | None, float | None, float | None]:
        """Mean, median (of an even number the mean of the middle two) and 90th percentile (nearest rank)."""
        number = self.number
        if not number:
            return None, None, None
        low, high, ninth = self._at((number + 1) // 2, number // 2 + 1, math.ceil(number * 9 / 10))
        return self.mean(), (low + high) / 2, float(ninth)

    def _at(self, *ranks: int) -> list[int]:
        """The values at these ranks (from 1, rising) in ascending order."""
        found: list[int] = []
        seen = 0
        for seconds in sorted(self.counts):
            seen += self.counts[seconds]
            while len(found) < len(ranks) and seen >= ranks[len(found)]:
                found.append(seconds)
            if len(found) == len(ranks):
                break
        return found


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`; None of nothing."""
    return part / whole if whole else None

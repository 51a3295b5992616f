"""What a report is: sections of columns and rows, about a period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`; None of nothing."""
    return part / whole if whole else None

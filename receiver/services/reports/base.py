"""What a report is asked, and what a kind of report looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from receiver.domain.period import Period
from receiver.domain.report import Section
from receiver.storage.report_places import Places

MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """About which period and places; `by`: how to group, one of what the report knows; `limit`: rows of long lists."""

    period: Period
    by: str
    limit: int
    places: Places = field(default_factory=Places)


@dataclass(frozen=True, slots=True)
class Findings:
    """The tables of a report, and what has to be said of them."""

    sections: Sequence[Section]
    notes: Sequence[str] = ()


class ReportKind(Protocol):
    """One built-in report."""

    @property
    def name(self) -> str:
        """As people ask for it."""

    @property
    def title(self) -> str:
        """What stands above it."""

    @property
    def about(self) -> str:
        """What it says, in one sentence."""

    @property
    def groupings(self) -> Sequence[str]:
        """How it can be grouped, the default first; empty: in one way only."""

    @property
    def has_places(self) -> bool:
        """Whether it can be asked about some services, clusters, namespaces or rules only."""

    @property
    def has_whole_hours(self) -> bool:
        """Whether it counts by whole hours: the period is made longer then."""

    def find(self, connection: Connection, question: Question) -> Findings:
        """Answer the question. Raises InvalidField for what this report cannot be asked."""

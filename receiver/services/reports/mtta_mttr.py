"""How long it takes people to acknowledge incidents, and until incidents are over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping

from receiver.domain.report import Column, Durations, Kind, Section, Value
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_incidents, report_places

_NOTES = (
    "Of the incidents opened in the period. MTTA is over those that are acknowledged, MTTR over those that are "
    "resolved; incidents that nobody acknowledged count in `unacknowledged` only.",
)
_COLUMNS = (
    Column("incidents"),
    Column("acknowledged"),
    Column("unacknowledged"),
    Column("mtta_mean", Kind.SECONDS),
    Column("mtta_median", Kind.SECONDS),
    Column("mtta_p90", Kind.SECONDS),
    Column("resolved"),
    Column("open"),
    Column("mttr_mean", Kind.SECONDS),
    Column("mttr_median", Kind.SECONDS),
    Column("mttr_p90", Kind.SECONDS),
)


@dataclass(slots=True)
class _Group:
    incidents: int = 0
    open: int = 0
    acks: Durations = field(default_factory=Durations)
    resolves: Durations = field(default_factory=Durations)

    @classmethod
    def of(cls, row: RowMapping) -> _Group:
        made = cls()
        made.add(row)
        return made

    def add(self, row: RowMapping) -> None:
        self.incidents += int(row["incidents"])
        self.open += int(row["open"])
        self.acks.add(row["acks"])
        self.resolves.add(row["resolves"])

    def values(self) -> Sequence[Value]:
        acknowledged = self.acks.number
        return (
            self.incidents,
            acknowledged,
            self.incidents - acknowledged,
            *self.acks.summary(),
            self.resolves.number,
            self.open,
            *self.resolves.summary(),
        )


class MttaMttr:
    """See base.ReportKind."""

    name = "mtta-mttr"
    title = "Time to acknowledge and to resolve"
    about = "How long until people acknowledge incidents (MTTA), and until incidents are over (MTTR)."
    groupings = ("priority", "severity", "service", "rule")
    has_places = True
    has_whole_hours = False

    def find(self, connection: Connection, question: Question) -> Findings:
        """One row for each group, and one for all."""
        rows = report_incidents.durations(connection, question.period, question.by, question.places)
        groups: dict[str, _Group] = {}
        total = _Group()
        for row in rows:
            groups[str(row["key"])] = _Group.of(row)
            total.add(row)
        ordered = sorted(groups.items(), key=lambda item: item[0])
        if question.by in report_places.COLUMNS:
            ordered.sort(key=lambda item: -item[1].incidents)
        shown = [(name, *group.values()) for name, group in ordered[: question.limit]]
        columns = (Column(question.by, Kind.TEXT), *_COLUMNS)
        return Findings(
            [
                Section("all", "All incidents", _COLUMNS, [total.values()]),
                Section("groups", f"By {question.by}", columns, shown),
            ],
            _NOTES,
        )

"""How long it takes people to acknowledge incidents, and until incidents are over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from receiver.domain.durations import Durations
from receiver.domain.report import Column, Kind, Section, Value
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


def _values(numbers: Sequence[int], acks: Durations, resolves: Durations) -> Sequence[Value]:
    incidents, still_open = numbers
    return (
        incidents,
        acks.number,
        incidents - acks.number,
        *acks.summary(),
        resolves.number,
        still_open,
        *resolves.summary(),
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
        found = report_incidents.durations(connection, question.period, question.by, question.places)
        groups = sorted(found.groups.items(), key=lambda item: str(item[0]))
        if question.by in report_places.COLUMNS:
            groups.sort(key=lambda item: -item[1][0])
        groups = groups[: question.limit]
        times = found.of([key for key, _ in groups])
        shown = [(str(key), *_values(numbers, *times[key])) for key, numbers in groups]
        total = [sum(numbers) for numbers in zip(*found.groups.values(), strict=True)] or [0, 0]
        columns = (Column(question.by, Kind.TEXT), *_COLUMNS)
        return Findings(
            [
                Section("all", "All incidents", _COLUMNS, [_values(total, *found.of_all())]),
                Section("groups", f"By {question.by}", columns, shown),
            ],
            _NOTES,
        )

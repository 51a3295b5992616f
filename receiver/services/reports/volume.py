"""How many alerts came, when, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from receiver.domain.alert import Disposition
from receiver.domain.report import Column, Kind, Section, share
from receiver.errors import InvalidField
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_alerts

# More than that nobody reads, and it would be slow.
MOST_HOURS = 24 * 7
_NOTES = ("Alerts are counted in the hour (UTC) in which they came, those of the spool too.",)


class Volume:
    """See base.ReportKind."""

    name = "volume"
    title = "Alert volume"
    about = "How many alerts came, by day or by hour, and what became of them."
    groupings = ("day", "hour")
    has_places = True
    has_whole_hours = True

    def find(self, connection: Connection, question: Question) -> Findings:
        """Sums by disposition, then a row for each day or hour in which alerts came."""
        period = question.period
        if question.by == "hour":
            if (period.until - period.since).total_seconds() > (
                MOST_HOURS + 1
            ) * 3600:  # made whole at both ends
                raise InvalidField(
                    "by", "by hour at most 7 days can be shown: choose a shorter period, or --by day"
                )
            counts = report_alerts.by_hour(connection, period, question.places)
        else:
            counts = report_alerts.by_day(connection, period, question.places)
        sums: Counter[str] = Counter()
        for (_, disposition), number in counts.items():
            sums[disposition] += number
        seen = [one.value for one in Disposition if sums[one.value]]
        columns = (Column(question.by, Kind.MOMENT), Column("alerts"), *map(Column, seen))
        return Findings(
            [
                _by_disposition(sums, seen),
                Section("times", f"By {question.by}", columns, _rows(counts, seen)),
            ],
            _NOTES,
        )


def _by_disposition(sums: Counter[str], seen: Sequence[str]) -> Section:
    total = sums.total()
    rows = [(one, sums[one], share(sums[one], total)) for one in seen]
    columns = (Column("disposition", Kind.TEXT), Column("alerts"), Column("share", Kind.SHARE))
    return Section(
        "dispositions", "What became of them", columns, [*rows, ("all", total, share(total, total))]
    )


def _rows(counts: Counter[tuple[Any, ...]], seen: Sequence[str]) -> list[tuple[Any, ...]]:
    moments: list[datetime] = sorted({moment for moment, _ in counts})
    return [
        (moment, sum(counts[moment, one] for one in seen), *(counts[moment, one] for one in seen))
        for moment in moments
    ]

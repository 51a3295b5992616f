"""How many incidents there are: opened in the period, and open now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from receiver.domain.report import Column, Kind, Section, Value
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_incidents

_NUMBERS = ("incidents", "acknowledged", "resolved", "open")
_NOTES = (
    "Each incident counts in the group of its opening; acknowledged, resolved and open say what is true of it now.",
)


class Incidents:
    """See base.ReportKind."""

    name = "incidents"
    title = "Incidents"
    about = "How many incidents were opened, by day, service or team, and which are open now."
    groupings = ("day", "service", "team", "priority")
    has_places = True
    has_whole_hours = False

    def find(self, connection: Connection, question: Question) -> Findings:
        """What is open now, then a row for each group."""
        column = "owner" if question.by == "team" else question.by
        found = report_incidents.numbers(connection, question.period, column, question.places, _NUMBERS)
        groups: dict[str, Counter[str]] = {}
        total: Counter[str] = Counter()
        for key, numbers in found.items():
            group = Counter(dict(zip(_NUMBERS, numbers, strict=True)))
            groups[_text(key, question.by)] = group
            total.update(group)
        ordered = sorted(groups.items())
        if question.by in ("service", "team"):
            ordered.sort(key=lambda item: -item[1]["incidents"])
            ordered = ordered[: question.limit]
        rows: list[Sequence[Value]] = [(key, *(group[name] for name in _NUMBERS)) for key, group in ordered]
        columns = (Column(question.by, Kind.TEXT), *map(Column, _NUMBERS))
        return Findings(
            [
                _open_now(connection, question),
                Section(
                    "all", "Opened in the period", columns[1:], [tuple(total[name] for name in _NUMBERS)]
                ),
                Section("groups", f"Opened by {question.by}", columns, rows),
            ],
            _NOTES,
        )


def _text(key: Any, by: str) -> str:
    return str(key) if key is not None else "(nobody)" if by == "team" else ""


def _open_now(connection: Connection, question: Question) -> Section:
    rows = report_incidents.open_now(connection, question.places)
    columns = (
        Column("priority", Kind.TEXT),
        Column("status", Kind.TEXT),
        Column("incidents"),
        Column("oldest", Kind.MOMENT),
    )
    found = sorted(
        (str(row["priority"]), str(row["status"]), row["incidents"], row["oldest"]) for row in rows
    )
    return Section("open_now", "Open now, whenever they opened", columns, found)

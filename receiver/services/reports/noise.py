"""Which rules make the most noise, and which of it was for nothing."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import Connection

from receiver.domain.report import Column, Kind, Section, share
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_alerts, report_incidents, report_places

_NOTES = (
    "reopened: opened within an hour after the incident before it, of the same key, was resolved. unacknowledged: "
    "over, and nobody acknowledged it. brief: over within 5 minutes, because its alerts resolved.",
)
_COLUMNS = (
    Column("name", Kind.TEXT),
    Column("alerts"),
    Column("incidents"),
    Column("alerts_per_incident", Kind.RATIO),
    Column("reopened"),
    Column("unacknowledged"),
    Column("brief"),
)
_NUMBERS = ("incidents", "reopened", "unacknowledged", "brief")


class Noise:
    """See base.ReportKind."""

    name = "noise"
    title = "Noise"
    about = "Which rules bring the most alerts and incidents, and how many of these flap or need nobody."
    groupings = ("rule", "service")
    has_places = True
    has_whole_hours = True

    def find(self, connection: Connection, question: Question) -> Findings:
        """The rules with the most alerts, then those with the most incidents."""
        asked = (connection, question.period, question.by, question.places)
        groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for rule_or_service, alerts in report_alerts.by_rule_or_service(*asked).items():
            groups[rule_or_service]["alerts"] = alerts
        for key, numbers in report_incidents.numbers(*asked, _NUMBERS).items():
            groups[str(key)].update(dict(zip(_NUMBERS, numbers, strict=True)))
        names = report_places.names(connection) if question.by == "rule" else {}
        return Findings(
            [
                self._section("alerts", groups, names, question),
                self._section("incidents", groups, names, question),
            ],
            _NOTES,
        )

    def _section(
        self, measure: str, groups: dict[str, Counter[str]], names: dict[str, str], question: Question
    ) -> Section:
        ordered = sorted(groups.items(), key=lambda item: (-item[1][measure], item[0]))
        rows = [
            (
                key,
                names.get(key, ""),
                group["alerts"],
                group["incidents"],
                share(group["alerts"], group["incidents"]),
                *(group[name] for name in _NUMBERS[1:]),
            )
            for key, group in ordered[: question.limit]
            if group[measure]
        ]
        title = f"{question.by.capitalize()}s with the most {measure}"
        return Section(f"most_{measure}", title, (Column(question.by, Kind.TEXT), *_COLUMNS), rows)

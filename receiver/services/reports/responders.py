"""Who acknowledges incidents, and who resolves them."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import Connection

from receiver.domain.incident import RESOLVED_BY_ALERT
from receiver.domain.report import Column, Kind, Section, share
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_incidents

_NOTES = (
    "Of the incidents opened in the period, by who acknowledged and who resolved them. Those that ended because their "
    f"alerts resolved count for `{RESOLVED_BY_ALERT}`. One name stands for one person only if people use names of "
    "their own (RECEIVER_API_TOKENS).",
)
_COLUMNS = (
    Column("who", Kind.TEXT),
    Column("acknowledged"),
    Column("mtta_mean", Kind.SECONDS),
    Column("resolved"),
    Column("resolved_own"),
)


class Responders:
    """See base.ReportKind."""

    name = "responders"
    title = "Responders"
    about = "Who acknowledged incidents and how soon, and who resolved them."
    groupings = ()
    has_places = True
    has_whole_hours = False

    def find(self, connection: Connection, question: Question) -> Findings:
        """A row for everybody who did something, who did most first."""
        people: defaultdict[str, Counter[str]] = defaultdict(Counter)
        nobody = 0
        asked = (connection, question.period, question.places)
        for key, (number, seconds) in report_incidents.responders(*asked).items():
            acknowledged_by, resolved_by = key if isinstance(key, tuple) else (None, None)
            if acknowledged_by is None:
                nobody += number
            else:
                people[acknowledged_by].update({"acknowledged": number, "seconds": seconds})
            if resolved_by is not None:
                own = number if resolved_by == acknowledged_by else 0
                people[resolved_by].update({"resolved": number, "own": own})
        ordered = sorted(
            people.items(), key=lambda item: (-item[1]["acknowledged"], -item[1]["resolved"], item[0])
        )
        rows = [
            (
                who,
                did["acknowledged"],
                share(did["seconds"], did["acknowledged"]),
                did["resolved"],
                did["own"],
            )
            for who, did in ordered[: question.limit]
        ]
        note = f"{nobody:,} incidents were acknowledged by nobody."
        return Findings([Section("people", "By person", _COLUMNS, rows)], (*_NOTES, note))

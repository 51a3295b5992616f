"""What remediation did, how it ended, and what it spared people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from receiver.domain.action_state import ActionState
from receiver.domain.report import Column, Kind, Section, Value, share
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_work

_NOTES = (
    "Of the actions asked for in the period and still stored; dry runs are in the first table only. Mended without a "
    "person: an action was completed, nobody acknowledged the incident, and it ended because its alerts resolved.",
)


class Automation:
    """See base.ReportKind."""

    name = "automation"
    title = "Automation"
    about = "Remediation actions by outcome, and the share of incidents mended without a person."
    groupings = ()
    has_places = False
    has_whole_hours = False

    def find(self, connection: Connection, question: Question) -> Findings:
        """A row for each type of action, and what became of the incidents."""
        groups: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for row in report_work.actions(connection, question.period):
            groups[row["type"], "dry run" if row["is_dry_run"] else "real"][row["state"]] += row["actions"]
        sums: Counter[str] = sum(groups.values(), Counter())
        seen = [state.value for state in ActionState if sums[state.value]]
        columns = (
            Column("type", Kind.TEXT),
            Column("mode", Kind.TEXT),
            Column("actions"),
            *map(Column, seen),
        )
        rows: list[Sequence[Value]] = [
            (*key, group.total(), *(group[state] for state in seen)) for key, group in sorted(groups.items())
        ]
        helped, alone = report_work.mended(connection, question.period)
        mended = Section(
            "incidents",
            "Incidents with a completed action",
            (Column("incidents"), Column("without_a_person"), Column("share", Kind.SHARE)),
            [(helped, alone, share(alone, helped))],
        )
        return Findings([Section("actions", "Actions by outcome", columns, rows), mended], _NOTES)

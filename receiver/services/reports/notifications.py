"""What channels were asked to tell, and whether they did."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import Connection

from receiver.domain.notification import NotificationState
from receiver.domain.report import Column, Kind, Section, share
from receiver.services.reports.base import Findings, Question
from receiver.storage import report_work

_NOTES = (
    "Messages that ended in the period and are still stored. superseded: overtaken by a later state before it could be "
    "sent; bundled: told together with others; dead: given up (`receiver jobs list --state dead` says why).",
)


class Notifications:
    """See base.ReportKind."""

    name = "notifications"
    title = "Notifications"
    about = "Messages by channel and outcome."
    groupings = ("channel", "template")
    has_places = False
    has_whole_hours = False

    def find(self, connection: Connection, question: Question) -> Findings:
        """A row for each channel, or for each channel and occasion."""
        groups: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        states = [state.value for state in NotificationState]
        for place, numbers in report_work.messages(connection, question.period).items():
            channel, template = map(str, place if isinstance(place, tuple) else ("", ""))
            key = (channel,) if question.by == "channel" else (channel, template)
            groups[key].update(dict(zip(states, numbers, strict=True)))
        names = ("channel",) if question.by == "channel" else ("channel", "template")
        columns = (
            *(Column(name, Kind.TEXT) for name in names),
            Column("messages"),
            *map(Column, states),
            Column("dead_share", Kind.SHARE),
        )
        rows = [
            (*key, group.total(), *(group[state] for state in states), share(group["dead"], group.total()))
            for key, group in sorted(groups.items())
        ]
        return Findings([Section("channels", f"By {' and '.join(names)}", columns, rows)], _NOTES)

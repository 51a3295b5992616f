"""Numbers of notifications and of remediation actions for reports, from the rows themselves; of whole days messages
from report_days.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, case, func, select

from receiver.domain.action_state import ActionState
from receiver.domain.day_numbers import Key, add_up, read
from receiver.domain.notification import NotificationState
from receiver.domain.period import Period
from receiver.storage.report_days import whole_days
from receiver.storage.report_incidents import by_alert
from receiver.storage.tables import incidents, notifications, remediation_actions


def messages(connection: Connection, period: Period) -> dict[Key, list[int]]:
    """Messages that ended in the period by channel and template: how many of each state, in NotificationState's order.

    idx_notifications_finished has all of it.
    """
    states = [one.value for one in NotificationState]
    days, parts = whole_days(connection, period, ["messages"])
    sums = add_up((read(day["messages"]["numbers"]) for day in days), states)
    own = notifications.c
    for part in parts:
        query = select(own.channel, own.template, own.state, func.count())
        query = query.where(own.finished_at >= part.since, own.finished_at < part.until)
        for channel, template, state, number in connection.execute(
            query.group_by(own.channel, own.template, own.state)
        ):
            sums.setdefault((channel, template), [0] * len(states))[states.index(state)] += number
    return sums


def actions(connection: Connection, period: Period) -> Sequence[RowMapping]:
    """Actions that were asked for in the period by type, state and whether they were for show.

    idx_actions_requested has all of it.
    """
    own = remediation_actions.c
    query = select(own.type, own.is_dry_run, own.state, func.count().label("actions"))
    within = query.where(own.requested_at >= period.since, own.requested_at < period.until)
    return connection.execute(within.group_by(own.type, own.is_dry_run, own.state)).mappings().all()


def mended(connection: Connection, period: Period) -> tuple[int, int]:
    """Incidents in which an action that was asked for in the period was completed; of these, those that ended by their
    alerts, and that nobody acknowledged."""
    own, incident = remediation_actions.c, incidents.c
    done = select(own.incident_id).where(
        own.requested_at >= period.since,
        own.requested_at < period.until,
        own.state == ActionState.COMPLETED.value,
        own.is_dry_run.is_(False),
    )
    alone = and_(incident.acknowledged_at.is_(None), by_alert(incident.resolved_by))
    query = select(func.count(), func.count(case((alone, 1)))).where(incident.incident_id.in_(done))
    helped, unaided = connection.execute(query).one()
    return helped, unaided

"""Numbers of notifications and of remediation actions for reports, from the rows themselves."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, case, func, select

from receiver.domain.action_state import ActionState
from receiver.domain.incident import RESOLVED_BY_ALERT
from receiver.domain.period import Period
from receiver.storage.tables import incidents, notifications, remediation_actions


def messages(connection: Connection, period: Period) -> Sequence[RowMapping]:
    """Messages that ended in the period by channel, template and state; idx_notifications_finished has it all."""
    own = notifications.c
    query = select(own.channel, own.template, own.state, func.count().label("messages"))
    within = query.where(own.finished_at >= period.since, own.finished_at < period.until)
    return connection.execute(within.group_by(own.channel, own.template, own.state)).mappings().all()


def actions(connection: Connection, period: Period) -> Sequence[RowMapping]:
    """Actions that were asked for in the period by type, state and whether they were for show."""
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
    alone = and_(incident.acknowledged_at.is_(None), incident.resolved_by == RESOLVED_BY_ALERT)
    query = select(func.count(), func.count(case((alone, 1)))).where(incident.incident_id.in_(done))
    helped, unaided = connection.execute(query).one()
    return helped, unaided

"""Messages that are told together: rows of `notifications` that name their bundle's job in provider_ref."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, func, select, update

from receiver.domain.notification import NotificationState, Template
from receiver.storage import report_days
from receiver.storage.tables import incidents, jobs, notifications
from receiver.storage.text import fit

# Ids of one channel's messages rise, as they are given under its lock; on Galera each node has numbers of its own,
# which lie close together.
_SCATTER = 1000
_newest = select(func.max(notifications.c.notification_id))
_is_member = and_(
    notifications.c.notification_id > bindparam("since"),
    notifications.c.channel == bindparam("of_channel"),
    notifications.c.provider_ref == bindparam("bundle"),
)
_members = (
    select(
        notifications.c.notification_id,
        notifications.c.state.label("message_state"),
        notifications.c.job_id,
        incidents.c.incident_id,
        incidents.c.incident_key,
        incidents.c.number,
        incidents.c.title,
        incidents.c.severity,
        incidents.c.priority,
        incidents.c.status,
        incidents.c.service,
        incidents.c.cluster,
        incidents.c.namespace,
        incidents.c.alert_count,
        incidents.c.firing_count,
        incidents.c.opened_at,
        incidents.c.last_seen_at,
        incidents.c.resolved_at,
    )
    .join_from(notifications, incidents, notifications.c.incident_id == incidents.c.incident_id)
    .where(_is_member, notifications.c.state != NotificationState.SUPERSEDED.value)
    .order_by(notifications.c.notification_id)
)
_end = (
    update(notifications)
    .where(notifications.c.notification_id.in_(bindparam("ids", expanding=True)))
    .values(state=bindparam("new_state"), detail=bindparam("new_detail"), finished_at=bindparam("at"))
)
_lock = (
    select(*[column for column in incidents.c if column.name != "open_key"])
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .order_by(incidents.c.incident_id)
    .with_for_update()
)
_payloads = select(jobs.c.job_id, jobs.c.payload, jobs.c.trace_id).where(
    jobs.c.job_id.in_(bindparam("ids", expanding=True))
)
_leave = (
    update(notifications)
    .where(
        notifications.c.incident_id == bindparam("of_incident"),
        notifications.c.channel == bindparam("of_channel"),
        notifications.c.template == Template.OPENED.value,
        notifications.c.state == NotificationState.BUNDLED.value,
    )
    .values(state=NotificationState.SUPERSEDED.value, detail=bindparam("why"), finished_at=bindparam("at"))
)


def members_since(connection: Connection) -> int:
    """A row number below that of every member that a bundle may get from now on."""
    return max(0, (connection.execute(_newest).scalar() or 0) - _SCATTER)


def members(connection: Connection, channel: str, bundle: str, since: int) -> Sequence[RowMapping]:
    """The messages that belong to the bundle, told, dead or neither, with their incidents as they are now."""
    asked = {"of_channel": channel, "bundle": bundle, "since": since}
    return connection.execute(_members, asked).mappings().all()


def asked_by(connection: Connection, job_ids: Collection[int]) -> dict[int, tuple[dict[str, Any], str]]:
    """Payload and trace of the jobs that asked for messages, by the job's id."""
    found = connection.execute(_payloads, {"ids": sorted(job_ids)})
    return {row.job_id: (row.payload, row.trace_id) for row in found}


def lock_incidents(connection: Connection, incident_ids: Collection[str]) -> dict[str, RowMapping]:
    """Take the locks of these incidents, which puts their events into the order of their commits; their rows by id."""
    found = connection.execute(_lock, {"ids": sorted(incident_ids)}).mappings()
    return {row["incident_id"]: row for row in found}


def end(
    connection: Connection,
    notification_ids: Collection[int],
    state: NotificationState,
    detail: str,
    at: datetime,
) -> None:
    """Write how the messages ended."""
    if notification_ids:
        values = {"new_state": state.value, "new_detail": fit(detail, 1000), "at": at}
        _doubt_days(connection, notifications.c.notification_id.in_(sorted(notification_ids)))
        connection.execute(_end, {"ids": sorted(notification_ids), **values})


def leave(connection: Connection, incident_id: str, channel: str, why: str, at: datetime) -> None:
    """Take the beginning of an incident out of a bundle that has not been sent."""
    own = notifications.c
    _doubt_days(
        connection,
        own.incident_id == incident_id,
        own.channel == channel,
        own.template == Template.OPENED.value,
        own.state == NotificationState.BUNDLED.value,
    )
    asked = {"of_incident": incident_id, "of_channel": channel, "why": fit(why, 1000), "at": at}
    connection.execute(_leave, asked)


def _doubt_days(connection: Connection, *which: ColumnElement[bool]) -> None:
    """These messages are about to end anew: the days in which they ended before are right no more."""
    ended = connection.execute(select(notifications.c.finished_at).where(*which)).scalars()
    report_days.doubt(connection, report_days.MESSAGES, ended)

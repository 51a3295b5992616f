"""Rows of `notifications`: how each message that was asked for ended; and what a message says of its incident."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, bindparam, insert, select, update

from receiver.domain.announcement import Announcement, Said
from receiver.domain.jobs import ClaimedJob, JobState
from receiver.domain.notification import NotificationState
from receiver.storage.tables import incidents, jobs, notifications
from receiver.storage.text import fit
from receiver.storage.types import DatabaseNow

_incident = select(
    incidents.c.incident_id,
    incidents.c.number,
    incidents.c.title,
    incidents.c.summary,
    incidents.c.status,
    incidents.c.severity,
    incidents.c.priority,
    incidents.c.service,
    incidents.c.cluster,
    incidents.c.namespace,
    incidents.c.alert_count,
    incidents.c.firing_count,
    incidents.c.opened_at,
    incidents.c.last_seen_at,
    incidents.c.acknowledged_at,
    incidents.c.acknowledged_by,
    incidents.c.resolved_at,
    incidents.c.resolved_by,
    incidents.c.links,
).where(incidents.c.incident_id == bindparam("incident"))
_lock = (
    select(incidents.c.severity, incidents.c.alert_count)
    .where(incidents.c.incident_id == bindparam("incident"))
    .with_for_update()
)
_notified = (
    update(incidents)
    .where(incidents.c.incident_id == bindparam("incident"))
    .values(last_notified_at=bindparam("at"))
)
_of_channel = and_(
    notifications.c.incident_id == bindparam("incident"), notifications.c.channel == bindparam("of_channel")
)
_said = (
    select(
        notifications.c.template,
        notifications.c.sequence,
        notifications.c.state,
        notifications.c.alert_count,
        notifications.c.severity,
        notifications.c.finished_at,
    )
    .where(_of_channel)
    .order_by(notifications.c.notification_id)
)
_under_way = select(jobs.c.job_id).where(
    jobs.c.idempotency_key.in_(bindparam("keys", expanding=True)),
    jobs.c.state == JobState.RUNNING.value,
    jobs.c.lease_until > DatabaseNow(),
)
_unended = select(jobs.c.job_id).where(
    jobs.c.idempotency_key.in_(bindparam("keys", expanding=True)),
    jobs.c.state.in_((JobState.READY.value, JobState.RUNNING.value)),
)
_insert = insert(notifications)
_remove_dead = notifications.delete().where(
    _of_channel,
    notifications.c.template == bindparam("of_template"),
    notifications.c.sequence == bindparam("of_sequence"),
    notifications.c.state == NotificationState.DEAD.value,
)


def incident(connection: Connection, incident_id: str) -> RowMapping | None:
    """What a message may say of the incident, by column; None if there is no such incident."""
    return connection.execute(_incident, {"incident": incident_id}).mappings().first()


def said(connection: Connection, incident_id: str, channel: str) -> list[Said]:
    """What has become of the incident's messages on `channel` so far, oldest first."""
    rows = connection.execute(_said, {"incident": incident_id, "of_channel": channel})
    return [Said(**row) for row in rows.mappings()]


def is_any_under_way(connection: Connection, job_keys: Collection[str]) -> bool:
    """Whether a worker is at one of these jobs right now."""
    return bool(job_keys) and connection.execute(_under_way, {"keys": sorted(job_keys)}).first() is not None


def is_any_unended(connection: Connection, job_keys: Collection[str]) -> bool:
    """Whether one of these jobs is under way or still to come, be it its first attempt or another one."""
    return bool(job_keys) and connection.execute(_unended, {"keys": sorted(job_keys)}).first() is not None


def mark_notified(connection: Connection, incident_id: str, at: datetime) -> None:
    """Note on the incident that people heard of it; takes its lock."""
    connection.execute(_notified, {"incident": incident_id, "at": at})


def lock_incident(connection: Connection, incident_id: str) -> tuple[str, int] | None:
    """Take the incident's lock; its severity and alert count, or None if there is no such incident."""
    row = connection.execute(_lock, {"incident": incident_id}).first()
    return (row.severity, row.alert_count) if row else None


def record(
    connection: Connection,
    job: ClaimedJob,
    announcement: Announcement,
    state: NotificationState,
    *,
    severity: str,
    alert_count: int,
    at: datetime,
    detail: str = "",
    provider_ref: str = "",
) -> None:
    """Write how a message ended. It takes the place of an earlier record of its death, and of no other record."""
    connection.execute(
        _remove_dead,
        {
            "incident": job.incident_id,
            "of_channel": announcement.channel,
            "of_template": announcement.template.value,
            "of_sequence": announcement.sequence,
        },
    )
    connection.execute(
        _insert,
        {
            "incident_id": job.incident_id,
            "channel": announcement.channel,
            "template": announcement.template.value,
            "sequence": announcement.sequence,
            "state": state.value,
            "job_id": job.job_id,
            "attempt": job.attempt,
            "alert_count": alert_count,
            "severity": severity,
            "detail": fit(detail, 1000),
            "provider_ref": fit(provider_ref, 255),
            "finished_at": at,
        },
    )

"""Rows of `notifications`: how each message that was asked for ended; and what a message says of its incident."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, insert, select, update

from receiver.domain.announcement import Announcement, Said
from receiver.domain.jobs import ClaimedJob, JobState
from receiver.domain.notification import NotificationState, Template
from receiver.storage.key_range import in_key_range, key_range
from receiver.storage.tables import incidents, jobs, notifications, remediation_actions
from receiver.storage.text import fit
from receiver.storage.types import DatabaseNow

_incident = select(
    incidents.c.incident_id,
    incidents.c.number,
    incidents.c.title,
    incidents.c.summary,
    incidents.c.status,
    incidents.c.mitigation,
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
    incidents.c.diagnostics,
).where(incidents.c.incident_id == bindparam("incident"))
_action = select(
    remediation_actions.c.type,
    remediation_actions.c.target,
    remediation_actions.c.state,
    remediation_actions.c.is_dry_run,
    remediation_actions.c.from_state,
    remediation_actions.c.to_state,
    remediation_actions.c.requested_by,
    remediation_actions.c.reason,
    remediation_actions.c.output,
    remediation_actions.c.error,
    remediation_actions.c.expires_at,
).where(remediation_actions.c.action_id == bindparam("action"))
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
        notifications.c.provider_ref,
    )
    .where(_of_channel)
    .order_by(notifications.c.notification_id)
)
_last_sequence = select(func.max(notifications.c.sequence)).where(
    _of_channel, notifications.c.template == bindparam("of_template")
)
_under_way = select(jobs.c.job_id).where(
    in_key_range(jobs.c.idempotency_key),
    jobs.c.idempotency_key != bindparam("but"),
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


def action(connection: Connection, action_id: str) -> RowMapping | None:
    """What a message may say of a remediation action, by column; None if there is no such action."""
    return connection.execute(_action, {"action": action_id}).mappings().first()


def said(connection: Connection, incident_id: str, channel: str) -> list[Said]:
    """What has become of the incident's messages on `channel` so far, oldest first."""
    return [Said(*row) for row in connection.execute(_said, {"incident": incident_id, "of_channel": channel})]


def last_sequence(connection: Connection, incident_id: str, channel: str, template: Template) -> int:
    """The highest sequence of the incident's messages on an occasion that have ended; 0 if there is none."""
    asked = {"incident": incident_id, "of_channel": channel, "of_template": template.value}
    return connection.execute(_last_sequence, asked).scalar() or 0


def is_any_under_way(connection: Connection, begin: str, but: str) -> bool:
    """Whether a worker is right now at a job whose key begins so, other than the one with the key `but`."""
    return connection.execute(_under_way, key_range(begin) | {"but": but}).first() is not None


def is_any_unended(connection: Connection, job_keys: Collection[str]) -> bool:
    """Whether one of these jobs is under way or still to come, be it its first attempt or another one."""
    return bool(job_keys) and connection.execute(_unended, {"keys": sorted(job_keys)}).first() is not None


def mark_notified(connection: Connection, incident_id: str, at: datetime) -> None:
    """Note on the incident that people heard of it; takes its lock."""
    connection.execute(_notified, {"incident": incident_id, "at": at})


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

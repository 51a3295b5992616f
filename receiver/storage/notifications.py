"""Rows of `notifications`: how each message that was asked for ended; and what a message says of its incident."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select, update

from receiver.clock import utc_now
from receiver.domain.announcement import Announcement, Said
from receiver.domain.jobs import ClaimedJob, JobState
from receiver.domain.notification import NotificationState, Template
from receiver.errors import LocksBusy
from receiver.storage import report_days
from receiver.storage.bulk import BulkInsert
from receiver.storage.key_range import in_key_range, key_range
from receiver.storage.tables import incidents, jobs, notifications, remediation_actions
from receiver.storage.text import fit
from receiver.storage.types import DatabaseNow

_incidents = select(
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
).where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
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
_all_notified = (
    update(incidents)
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .values(last_notified_at=bindparam("at"))
)
# By the primary key only: a scan would look at, and lock for a moment, incidents that nobody asked for.
_lock_at_once = (
    select(incidents.c.incident_id)
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .with_for_update(skip_locked=True)
    .with_hint(incidents, "FORCE INDEX (PRIMARY)", "mysql")
    .with_hint(incidents, "FORCE INDEX (PRIMARY)", "mariadb")
)
_of_channel = and_(
    notifications.c.incident_id == bindparam("incident"), notifications.c.channel == bindparam("of_channel")
)
_said = (
    select(
        notifications.c.incident_id,
        notifications.c.template,
        notifications.c.sequence,
        notifications.c.state,
        notifications.c.alert_count,
        notifications.c.severity,
        notifications.c.finished_at,
        notifications.c.provider_ref,
    )
    .where(
        notifications.c.incident_id.in_(bindparam("ids", expanding=True)),
        notifications.c.channel == bindparam("of_channel"),
    )
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
_unended = select(jobs.c.idempotency_key).where(
    jobs.c.idempotency_key.in_(bindparam("keys", expanding=True)),
    jobs.c.state.in_((JobState.READY.value, JobState.RUNNING.value)),
)
_insert = BulkInsert(
    notifications,
    (
        "incident_id",
        "channel",
        "template",
        "sequence",
        "state",
        "job_id",
        "attempt",
        "alert_count",
        "severity",
        "detail",
        "provider_ref",
        "finished_at",
    ),
)
_dead = (
    _of_channel,
    notifications.c.template == bindparam("of_template"),
    notifications.c.sequence == bindparam("of_sequence"),
    notifications.c.state == NotificationState.DEAD.value,
)
_died = select(notifications.c.finished_at).where(*_dead)
_remove_dead = notifications.delete().where(*_dead)


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """How the message that `job` asked for ended, and what it said of its incident."""

    job: ClaimedJob
    announcement: Announcement
    state: NotificationState
    severity: str
    alert_count: int
    at: datetime
    detail: str = ""
    provider_ref: str = ""


def incidents_of(connection: Connection, incident_ids: Collection[str]) -> dict[str, RowMapping]:
    """What messages may say of those of these incidents that exist, by id, then by column."""
    found = connection.execute(_incidents, {"ids": sorted(incident_ids)}).mappings()
    return {row["incident_id"]: row for row in found}


def action(connection: Connection, action_id: str) -> RowMapping | None:
    """What a message may say of a remediation action, by column; None if there is no such action."""
    return connection.execute(_action, {"action": action_id}).mappings().first()


def said(connection: Connection, incident_id: str, channel: str) -> list[Said]:
    """What has become of the incident's messages on `channel` so far, oldest first."""
    return said_of(connection, [incident_id], channel)[incident_id]


def said_of(
    connection: Connection, incident_ids: Collection[str], channel: str
) -> defaultdict[str, list[Said]]:
    """The same for several incidents, by incident."""
    found: defaultdict[str, list[Said]] = defaultdict(list)
    for row in connection.execute(_said, {"of_channel": channel, "ids": sorted(incident_ids)}):
        found[row.incident_id].append(Said(*row[1:]))
    return found


def last_sequence(connection: Connection, incident_id: str, channel: str, template: Template) -> int:
    """The highest sequence of the incident's messages on an occasion that have ended; 0 if there is none."""
    asked = {"incident": incident_id, "of_channel": channel, "of_template": template.value}
    return connection.execute(_last_sequence, asked).scalar() or 0


def is_any_under_way(connection: Connection, begin: str, but: str) -> bool:
    """Whether a worker is right now at a job whose key begins so, other than the one with the key `but`."""
    return connection.execute(_under_way, key_range(begin) | {"but": but}).first() is not None


def is_any_unended(connection: Connection, job_keys: Collection[str]) -> bool:
    """Whether one of these jobs is under way or still to come, be it its first attempt or another one."""
    return bool(unended(connection, job_keys))


def unended(connection: Connection, job_keys: Collection[str]) -> set[str]:
    """Which of these are."""
    if not job_keys:
        return set()
    return set(connection.execute(_unended, {"keys": sorted(job_keys)}).scalars())


def mark_notified(connection: Connection, incident_id: str, at: datetime) -> None:
    """Note on the incident that people heard of it; takes its lock."""
    connection.execute(_notified, {"incident": incident_id, "at": at})


def lock_at_once(connection: Connection, incident_ids: Collection[str]) -> None:
    """Take the locks of all these incidents without waiting for any. Raises LocksBusy where somebody has one.

    The intake takes locks in the order of incident keys. Who takes several in another order must not wait for one while
    it holds another.
    """
    taken = connection.execute(_lock_at_once, {"ids": sorted(incident_ids)}).scalars()
    busy = frozenset(incident_ids).difference(taken)
    if busy:
        raise LocksBusy(busy)


def mark_all_notified(connection: Connection, incident_ids: Collection[str], at: datetime) -> None:
    """Note on these incidents, whose locks are held, that people heard of them."""
    connection.execute(_all_notified, {"ids": sorted(incident_ids), "at": at})


def record_first(connection: Connection, ends: Sequence[MessageEnd]) -> None:
    """Write how messages ended of which no end is recorded yet. There must be at least one."""
    _insert.execute(connection, [_values(end) for end in ends])
    today = report_days.day_of(utc_now())  # which reports do not count beforehand
    report_days.doubt(connection, report_days.MESSAGES, [end.at for end in ends if end.at < today])


def record(connection: Connection, end: MessageEnd) -> None:
    """Write how a message ended. It takes the place of an earlier record of its death, and of no other record."""
    this = {
        "incident": end.job.incident_id,
        "of_channel": end.announcement.channel,
        "of_template": end.announcement.template.value,
        "of_sequence": end.announcement.sequence,
    }
    died = connection.execute(_died, this).scalars().all()
    if died:
        report_days.doubt(connection, report_days.MESSAGES, died)
        connection.execute(_remove_dead, this)
    record_first(connection, [end])


def _values(end: MessageEnd) -> Mapping[str, Any]:
    return {
        "incident_id": end.job.incident_id,
        "channel": end.announcement.channel,
        "template": end.announcement.template.value,
        "sequence": end.announcement.sequence,
        "state": end.state.value,
        "job_id": end.job.job_id,
        "attempt": end.job.attempt,
        "alert_count": end.alert_count,
        "severity": end.severity,
        "detail": fit(end.detail, 1000),
        "provider_ref": fit(end.provider_ref, 255),
        "finished_at": end.at,
    }

"""What is known of an incident's messages: the jobs that were to send them, how they ended, and what asked for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from receiver.domain.announcement import message_keys
from receiver.domain.escalation import round_keys
from receiver.storage.key_range import in_key_range, key_range
from receiver.storage.tables import events, jobs, notifications

_MOST_EVENTS = 500
_job_columns = (
    jobs.c.job_id,
    jobs.c.idempotency_key,
    jobs.c.payload,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.max_attempts,
    jobs.c.created_at,
    jobs.c.run_at,
    jobs.c.finished_at,
    jobs.c.last_error,
)
_jobs = select(*_job_columns).where(in_key_range(jobs.c.idempotency_key)).order_by(jobs.c.job_id)
_named = select(*_job_columns).where(jobs.c.idempotency_key.in_(bindparam("keys", expanding=True)))
_records = (
    select(
        notifications.c.channel,
        notifications.c.template,
        notifications.c.sequence,
        notifications.c.state,
        notifications.c.attempt,
        notifications.c.detail,
        notifications.c.provider_ref,
        notifications.c.finished_at,
    )
    .where(notifications.c.incident_id == bindparam("incident"))
    .order_by(notifications.c.notification_id)
)
_events = (
    select(events)
    .where(
        events.c.incident_id == bindparam("incident"),
        events.c.type.in_(bindparam("types", expanding=True)),
    )
    .order_by(events.c.event_id)
    .limit(_MOST_EVENTS)
)


def message_jobs(connection: Connection, incident_id: str) -> Sequence[RowMapping]:
    """The jobs that were to send the incident's messages, the oldest first."""
    return connection.execute(_jobs, key_range(message_keys(incident_id))).mappings().all()


def escalation_jobs(connection: Connection, incident_id: str) -> Sequence[RowMapping]:
    """The jobs of the incident's escalations, the oldest first."""
    return connection.execute(_jobs, key_range(round_keys(incident_id))).mappings().all()


def jobs_named(connection: Connection, keys: Collection[str]) -> dict[str, RowMapping]:
    """Jobs by their idempotency keys, as far as they exist."""
    found = connection.execute(_named, {"keys": sorted(keys)}).mappings()
    return {row["idempotency_key"]: row for row in found}


def records(connection: Connection, incident_id: str) -> Sequence[RowMapping]:
    """How the incident's messages ended, in the order of their ends."""
    return connection.execute(_records, {"incident": incident_id}).mappings().all()


def events_of(connection: Connection, incident_id: str, types: Collection[str]) -> Sequence[RowMapping]:
    """The incident's first events of these types, as many as anybody wants to read about."""
    asked = {"incident": incident_id, "types": sorted(types)}
    return connection.execute(_events, asked).mappings().all()

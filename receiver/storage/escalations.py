"""What escalations need to know of an incident: acknowledgements, rounds, and what channels were asked to say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from receiver.domain.announcement import TOLD, counted_keys, message_keys
from receiver.domain.escalation import round_keys
from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.storage.key_range import in_key_range, key_range
from receiver.storage.tables import events, jobs, notifications

_is_acknowledgement = (
    events.c.incident_id == bindparam("incident"),
    events.c.type == EventType.INCIDENT_ACKNOWLEDGED.value,
)
_acknowledgements = select(func.count()).select_from(events).where(*_is_acknowledgement)
_last_acknowledgement = (
    select(events.c.actor, events.c.created_at, events.c.payload)
    .where(*_is_acknowledgement)
    .order_by(events.c.event_id.desc())
    .limit(1)
)
_rounds = select(jobs.c.payload).where(in_key_range(jobs.c.idempotency_key)).order_by(jobs.c.job_id)
_asked = select(jobs.c.idempotency_key, jobs.c.payload).where(in_key_range(jobs.c.idempotency_key))
_told = (
    select(notifications.c.channel)
    .where(
        notifications.c.incident_id == bindparam("incident"),
        notifications.c.template == Template.OPENED.value,
        notifications.c.state.in_([state.value for state in TOLD]),
    )
    .order_by(notifications.c.channel)
)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who acknowledged, when, and what they noted."""

    by: str
    at: datetime
    note: str


def acknowledgements(connection: Connection, incident_id: str) -> int:
    """How often the incident has been acknowledged. It stays so only while the incident is locked."""
    return connection.execute(_acknowledgements, {"incident": incident_id}).scalar_one()


def last_acknowledgement(connection: Connection, incident_id: str) -> Acknowledgement | None:
    """The newest one, None if nobody has acknowledged."""
    row = connection.execute(_last_acknowledgement, {"incident": incident_id}).first()
    return Acknowledgement(row.actor, row.created_at, row.payload.get("note", "")) if row else None


def rounds(connection: Connection, incident_id: str) -> list[dict[str, Any]]:
    """What the jobs of the incident's rounds carry, the oldest first."""
    return list(connection.execute(_rounds, key_range(round_keys(incident_id))).scalars())


def asked(connection: Connection, incident_id: str, channel: str) -> dict[int, str]:
    """The calls of the incident that the channel was asked for: the cause of each, by its sequence."""
    begin = counted_keys(incident_id, channel, Template.ESCALATED)
    found = connection.execute(_asked, key_range(begin))
    return {int(row.idempotency_key.removeprefix(begin)): row.payload.get("cause", "") for row in found}


def channels_called(connection: Connection, incident_id: str) -> list[str]:
    """The channels that escalations have called because of the incident."""
    payloads = connection.execute(_asked, key_range(message_keys(incident_id))).all()
    return sorted({row.payload["channel"] for row in payloads if row.payload.get("cause")})


def channels_told(connection: Connection, incident_id: str) -> Collection[str]:
    """The channels that were told that the incident began."""
    return list(connection.execute(_told, {"incident": incident_id}).scalars())

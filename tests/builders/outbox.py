"""Events in the outbox, and what a broker has of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update

from receiver.clock import utc_now
from receiver.domain.events import Event, EventType
from receiver.services.publish import STANDING_JOB
from receiver.storage.events import insert_many
from receiver.storage.tables import events, jobs
from receiver.storage.types import DatabaseNow
from tests.fakes.nats_server import Stored

A, B, C = (f"INC-20260101000000-{letter * 16}" for letter in "abc")


def event(
    incident_id: str | None = A,
    type_: EventType = EventType.ALERT_RAISED,
    *,
    created_at: datetime | None = None,
    **payload: Any,
) -> Event:
    """An event that happens now."""
    return Event(type_, created_at or utc_now(), "prometheus", "f" * 32, incident_id, payload=payload)


def add(engine: Engine, *batch: Event) -> list[int]:
    """Commit these events; returns the ids of all there are."""
    with engine.begin() as connection:
        insert_many(connection, batch)
        return list(connection.execute(select(events.c.event_id).order_by(events.c.event_id)).scalars())


def unpublished(engine: Engine) -> list[int]:
    """The ids of those that no broker has acknowledged, as far as the database knows."""
    with engine.connect() as connection:
        query = select(events.c.event_id).where(events.c.published_at.is_(None)).order_by(events.c.event_id)
        return list(connection.execute(query).scalars())


def forget_marks(engine: Engine) -> None:
    """As if the worker had died each time between the broker's acknowledgement and the mark."""
    with engine.begin() as connection:
        connection.execute(update(events).values(published_at=None))


def make_due(engine: Engine) -> None:
    """The standing job is due now, whatever pause it was given."""
    with engine.begin() as connection:
        mine = jobs.c.idempotency_key == STANDING_JOB.idempotency_key
        connection.execute(update(jobs).where(mine).values(run_at=DatabaseNow()))


def ids_by_incident(stored: Iterable[Stored]) -> dict[str | None, list[int]]:
    """The event ids of each incident in the order in which the stream has them."""
    found: defaultdict[str | None, list[int]] = defaultdict(list)
    for one in stored:
        found[one.envelope["incident_id"]].append(one.envelope["event_id"])
    return dict(found)


def first_copies(ids: Sequence[int]) -> list[int]:
    """What is left of a sequence when a consumer drops the event ids it has seen."""
    return list(dict.fromkeys(ids))

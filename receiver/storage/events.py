"""Rows of `events`: the incident's timeline and the outbox in one append-only table."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from receiver.domain.events import Event
from receiver.storage.bulk import BulkInsert
from receiver.storage.tables import events

_insert = BulkInsert(
    events,
    ("type", "incident_id", "alert_id", "action_id", "actor", "trace_id", "payload", "created_at"),
)


def insert_many(connection: Connection, batch: Sequence[Event]) -> None:
    """Append events in their order. The incident's lock must be held, which makes event_id rise in commit order."""
    if not batch:
        return
    _insert.execute(
        connection,
        [
            {
                "type": event.type,
                "incident_id": event.incident_id,
                "alert_id": event.alert_id,
                "action_id": event.action_id,
                "actor": event.actor[:190],
                "trace_id": event.trace_id,
                "payload": event.payload,
                "created_at": event.created_at,
            }
            for event in batch
        ],
    )

"""The end of an incident by a rule: as when people resolve it, but within the transaction that brought it about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from receiver.domain.events import Event, EventType
from receiver.domain.incident import Status, may_become
from receiver.storage import episodes, incident_changes
from receiver.storage.text import fit

_ACTOR_CHARACTERS = 190


def resolve_incident(
    connection: Connection,
    row: Mapping[Any, Any],
    *,
    actor: str,
    at: datetime,
    trace_id: str,
    payload: Mapping[str, Any],
) -> Event | None:
    """Resolve the locked incident `row`, end its firing episodes, and return the event, which is not written yet.

    None, and nothing is changed, if it is over already. To be told with `effects.tell`.
    """
    if not may_become(row["status"], Status.RESOLVED.value):
        return None
    by = fit(actor, _ACTOR_CHARACTERS)
    episodes.end_all(connection, row["incident_id"], at)
    values = {"status": Status.RESOLVED.value, "resolved_at": at, "resolved_by": by, "firing_count": 0}
    incident_changes.change(connection, row["incident_id"], values)
    return Event(
        type=EventType.INCIDENT_RESOLVED,
        created_at=at,
        actor=by,
        trace_id=trace_id,
        incident_id=row["incident_id"],
        payload={"status": [row["status"], Status.RESOLVED.value], **payload},
    )

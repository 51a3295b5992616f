"""Holds: incidents that retention leaves alone until somebody releases them. Rows of `controls`.

Who held what, and why, stands in the audit log too.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from receiver.errors import UnknownIncident
from receiver.ids import new_trace_id
from receiver.services.transaction import transact
from receiver.storage import audit, controls, database_clock, incident_queries
from receiver.storage import retention as storage
from receiver.storage.incident_changes import find_and_lock


def hold_incident(engine: Engine, reference: str, reason: str, *, by: str) -> str:
    """Hold it because of `reason`; returns its id. Raises UnknownIncident, StorageUnavailable."""

    def work(connection: Connection, attempt: int) -> str:
        incident_id = _locked(connection, reference)
        at = database_clock.now(connection)
        controls.put(connection, storage.HOLD + incident_id, {"reason": reason[:500]}, by, at)
        _note(connection, "incident.hold", incident_id, by, reason)
        return incident_id

    return transact(engine, work)


def release_incident(engine: Engine, reference: str, *, by: str) -> bool:
    """End its hold; whether there was one. Raises UnknownIncident, StorageUnavailable."""

    def work(connection: Connection, attempt: int) -> bool:
        incident_id = _locked(connection, reference)
        was_held = storage.release(connection, incident_id)
        if was_held:
            _note(connection, "incident.release", incident_id, by, "")
        return was_held

    return transact(engine, work)


def _locked(connection: Connection, reference: str) -> str:
    # A prune looks for holds under the same lock: an incident that is held here cannot be half gone afterwards.
    found = incident_queries.by_reference(connection, reference)
    if found is None or find_and_lock(connection, found["incident_id"]) is None:
        raise UnknownIncident(f"there is no incident {reference!r}")
    return str(found["incident_id"])


def _note(connection: Connection, action: str, incident_id: str, by: str, reason: str) -> None:
    audit.write(
        connection,
        actor=by,
        action=action,
        target=incident_id,
        at=database_clock.now(connection),
        trace_id=new_trace_id(),
        detail={"reason": reason[:500]},
    )

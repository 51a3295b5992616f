"""Holds: incidents that retention leaves alone until somebody releases them. Rows of `controls`.

Each is told by an event in the incident's timeline, and stands in the audit log, which outlives the incident.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from receiver.domain.events import Event, EventType
from receiver.services.incident_list import asking, known
from receiver.services.incidents import Deed
from receiver.services.transaction import transact
from receiver.storage import audit, controls, database_clock, events, incident_changes
from receiver.storage import retention as storage
from receiver.storage.text import fit

Row = Mapping[Any, Any]

_REASON_CHARACTERS = 500
_ACTOR_CHARACTERS = 190


def hold_incident(engine: Engine, reference: str, deed: Deed) -> Row:
    """Hold it because of the deed's note; returns the incident, with `held`. Holding it again changes the reason.

    Raises UnknownIncident, StorageUnavailable.
    """
    reason = fit(deed.note, _REASON_CHARACTERS)

    def work(connection: Connection, attempt: int) -> Row:
        row = _locked(connection, reference)
        before = held(connection, row["incident_id"])
        if (
            before is None or before["reason"] != reason
        ):  # else an earlier COMMIT went through without an answer
            at = database_clock.now(connection)
            name = storage.HOLD + row["incident_id"]
            controls.put(connection, name, {"reason": reason}, deed.actor, at)
            _note(connection, "incident.hold", row, deed, [before is not None, True])
        return {**row, "held": held(connection, row["incident_id"])}

    return transact(engine, work)


def release_incident(engine: Engine, reference: str, deed: Deed) -> tuple[bool, Row]:
    """End its hold; whether there was one, and the incident. Raises UnknownIncident, StorageUnavailable."""

    def work(connection: Connection, attempt: int) -> tuple[bool, Row]:
        row = _locked(connection, reference)
        was_held = storage.release(connection, row["incident_id"])
        if was_held:
            _note(connection, "incident.release", row, deed, [True, False])
        return was_held, {**row, "held": None}

    return transact(engine, work)


def hold_of(engine: Engine, incident_id: str) -> Row | None:
    """Why it is held, by whom and since when; None if it is not. Raises StorageUnavailable."""
    with asking(engine) as connection:
        return held(connection, incident_id)


def held(connection: Connection, incident_id: str) -> Row | None:
    """The same, within a transaction."""
    control = controls.find(connection, storage.HOLD + incident_id)
    if control is None:
        return None
    return {"reason": control["value"]["reason"], "by": control["changed_by"], "at": control["changed_at"]}


def _locked(connection: Connection, reference: str) -> Row:
    # A prune looks for holds under the same lock: an incident that is held here cannot be half gone afterwards.
    found = known(connection, reference)
    return incident_changes.lock(connection, found["incident_id"], found["incident_key"])


def _note(connection: Connection, action: str, row: Row, deed: Deed, changed: list[bool]) -> None:
    """No rule is asked: that an incident is kept is no news for a channel."""
    at, actor = database_clock.now(connection), fit(deed.actor, _ACTOR_CHARACTERS)
    payload = {"changes": {"held": changed}, **({"note": deed.note} if deed.note else {})}
    event = Event(
        EventType.INCIDENT_UPDATED, at, actor, deed.trace_id, incident_id=row["incident_id"], payload=payload
    )
    events.insert_many(connection, [event])
    audit.write(
        connection,
        actor=actor,
        action=action,
        target=row["incident_id"],
        at=at,
        trace_id=deed.trace_id,
        detail={"reason": fit(deed.note, _REASON_CHARACTERS)},
    )

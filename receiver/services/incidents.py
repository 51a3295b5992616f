"""What people do to an incident: acknowledge, resolve, close, assign, note. One transaction each, told by one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from receiver.domain.escalation import expiry_job, stands_for_seconds
from receiver.domain.events import Event, EventType
from receiver.domain.incident import Status, allowed_statuses, may_become
from receiver.errors import IllegalTransition
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.escalate import policies_under_way
from receiver.services.incident_list import known
from receiver.services.subjects import subject_of_row
from receiver.services.transaction import transact
from receiver.storage import episodes, escalations, incident_changes, incident_queries, jobs
from receiver.storage.text import fit

Row = Mapping[Any, Any]

_log = event_logger("incidents")
_ACTOR_CHARACTERS = 190


@dataclass(frozen=True, slots=True)
class Deed:
    """Who does it, what that one says about it, and in which trace."""

    actor: str
    trace_id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a person's status table: the event that tells it, and the columns that hold when and who."""

    wanted: Status
    event: EventType
    at_column: str
    by_column: str


_ACKNOWLEDGE = _Step(
    Status.ACKNOWLEDGED, EventType.INCIDENT_ACKNOWLEDGED, "acknowledged_at", "acknowledged_by"
)
_RESOLVE = _Step(Status.RESOLVED, EventType.INCIDENT_RESOLVED, "resolved_at", "resolved_by")
_CLOSE = _Step(Status.CLOSED, EventType.INCIDENT_CLOSED, "closed_at", "closed_by")


def acknowledge(runtime: Runtime, reference: str, deed: Deed) -> Row:
    """Somebody has seen it. Returns the incident as it is now.

    Raises UnknownIncident, IllegalTransition, StorageUnavailable; so do `resolve` and `close`.
    """
    return _take_step(runtime, reference, deed, _ACKNOWLEDGE)


def resolve(runtime: Runtime, reference: str, deed: Deed) -> Row:
    """It is over, whatever its alerts say: their firing episodes end with it. Returns the incident as it is now."""
    return _take_step(runtime, reference, deed, _RESOLVE)


def close(runtime: Runtime, reference: str, deed: Deed) -> Row:
    """Nothing is left to do about a resolved incident. Returns the incident as it is now."""
    return _take_step(runtime, reference, deed, _CLOSE)


def assign(runtime: Runtime, reference: str, deed: Deed, owner: str | None) -> Row:
    """Give it an owner, or none. Returns the incident as it is now. Raises UnknownIncident, StorageUnavailable."""
    at = runtime.clock()

    def work(connection: Connection, attempt: int) -> Row:
        row = _locked(connection, reference)
        if row["owner"] == owner:  # also when an earlier COMMIT went through although its answer was lost
            return row
        incident_changes.change(connection, row["incident_id"], {"owner": owner})
        changes = {"owner": [row["owner"], owner]}
        _tell(connection, runtime, row, _event(EventType.INCIDENT_UPDATED, row, at, deed, changes=changes))
        return {**row, "owner": owner}

    return transact(runtime.engine, work)


def add_note(runtime: Runtime, reference: str, deed: Deed) -> Row:
    """Write the deed's note into the timeline. Returns the incident. Raises UnknownIncident, StorageUnavailable."""
    at = runtime.clock()

    def work(connection: Connection, attempt: int) -> Row:
        row = _locked(connection, reference)
        event = _event(EventType.INCIDENT_UPDATED, row, at, deed)
        if not (attempt and incident_queries.is_told(connection, event)):
            _tell(connection, runtime, row, event)
        return row

    return transact(runtime.engine, work)


def _take_step(runtime: Runtime, reference: str, deed: Deed, step: _Step) -> Row:
    at = runtime.clock()  # fixed before the transaction, which may run again
    actor = fit(deed.actor, _ACTOR_CHARACTERS)
    values: dict[str, Any] = {"status": step.wanted.value, step.at_column: at, step.by_column: actor}

    def work(connection: Connection, attempt: int) -> Row:
        row = _locked(connection, reference)
        if attempt and all(row[column] == value for column, value in values.items()):
            return row  # an earlier COMMIT went through although its answer was lost
        _check(row, step.wanted)
        if step.wanted is Status.RESOLVED:
            values["firing_count"] = 0
            episodes.end_all(connection, row["incident_id"], at)
        incident_changes.change(connection, row["incident_id"], values)
        told: dict[str, Any] = {"status": [row["status"], step.wanted.value]}
        if step.wanted is Status.ACKNOWLEDGED:
            before = _watch_acknowledgement(connection, runtime, row, deed.trace_id)
            told |= {"acknowledgement": before} if before else {}
        _tell(connection, runtime, row, _event(step.event, row, at, deed, **told))
        return {**row, **values}

    changed = transact(runtime.engine, work)
    _log.info(step.event.value, extra={"incident_id": changed["incident_id"], "trace_id": deed.trace_id})
    return changed


def _watch_acknowledgement(connection: Connection, runtime: Runtime, row: Row, trace_id: str) -> int:
    """Have somebody look when the acknowledgement of the locked incident times out. Returns how many it had before."""
    incident_id = row["incident_id"]
    before = escalations.acknowledgements(connection, incident_id)
    stands = stands_for_seconds(
        policies_under_way(connection, incident_id), runtime.settings.acknowledge_timeout_seconds
    )
    if stands is not None:
        jobs.insert_once(connection, [expiry_job(incident_id, before, trace_id, stands)])
    return before


def _locked(connection: Connection, reference: str) -> Row:
    found = known(connection, reference)
    return incident_changes.lock(connection, found["incident_id"], found["incident_key"])


def _check(row: Row, wanted: Status) -> None:
    if not may_become(row["status"], wanted.value):
        allowed = allowed_statuses(row["status"])
        raise IllegalTransition(
            f"the incident is {row['status']} and cannot become {wanted.value}; "
            f"it can become {' or '.join(allowed) if allowed else 'nothing else'}",
            allowed,
        )


def _event(kind: EventType, row: Row, at: datetime, deed: Deed, **payload: Any) -> Event:
    if deed.note:
        payload["note"] = deed.note
    return Event(
        type=kind,
        created_at=at,
        actor=fit(deed.actor, _ACTOR_CHARACTERS),
        trace_id=deed.trace_id,
        incident_id=row["incident_id"],
        payload=payload,
    )


def _tell(connection: Connection, runtime: Runtime, row: Row, event: Event) -> None:
    tell(connection, runtime, [event], lambda told: subject_of_row(told, row))

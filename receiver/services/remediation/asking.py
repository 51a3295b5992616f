"""A person asks for an action: it goes the same way, through the same safety rules, as if a rule had asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from receiver.domain.action import Order
from receiver.domain.rules.run_spec import RunSpec
from receiver.errors import InvalidField
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.incident_list import known
from receiver.services.incidents import Deed
from receiver.services.remediation.request import add, row_of
from receiver.services.subjects import subject_of_row
from receiver.services.transaction import transact
from receiver.storage import incident_changes, jobs, remediation

Row = Mapping[Any, Any]


def ask(runtime: Runtime, reference: str, deed: Deed, spec: RunSpec) -> Row:
    """Ask for an action for the incident, which may be over. Returns the action as it is now.

    Raises UnknownIncident, InvalidField for what the action cannot take, StorageUnavailable.
    """
    _check(runtime, spec)
    action_id, at = f"ACT-{new_trace_id()[:24]}", runtime.clock()

    def work(connection: Connection, attempt: int) -> Row:
        found = known(connection, reference)
        incident = incident_changes.lock(connection, found["incident_id"], found["incident_key"])
        before = remediation.find(connection, action_id)
        if before is not None:  # an earlier COMMIT went through although its answer was lost
            return before
        row = row_of(
            runtime,
            spec,
            action_id=action_id,
            incident_id=incident["incident_id"],
            requested_by=deed.actor,
            trace_id=deed.trace_id,
            reason=deed.note,
        )
        asked, job = add(connection, runtime, row, at, "person")
        tell(connection, runtime, [asked], lambda event: subject_of_row(event, incident))
        jobs.insert_many(connection, [job])
        return remediation.lock(connection, action_id)

    return transact(runtime.engine, work)


def _check(runtime: Runtime, spec: RunSpec) -> None:
    action = runtime.actions.get(spec.action)
    if action is None:
        known_actions = ", ".join(sorted(runtime.actions))
        raise InvalidField("action", f"there is no action of this name; there are {known_actions}")
    problems = action.check(Order(spec.action, spec.target, spec.parameters))
    if problems:
        raise InvalidField("action", "; ".join(problems))

"""An action and its incident while both are locked: what is changed of them, and told, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from receiver.domain.action_state import ActionState
from receiver.domain.events import Event, EventType
from receiver.domain.remediation import may_become, mitigation_after
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.remediation.facts import told
from receiver.services.subjects import subject_of_row
from receiver.storage import database_clock, incident_changes, remediation

WORKER = "worker"


@dataclass(slots=True)
class Held:
    """The rows as they are now, with the changes of this transaction. `now` is the database's time.

    Every change goes through here; `close` must come last, because what it tells may change the incident further.
    """

    connection: Connection
    runtime: Runtime
    incident: dict[str, Any]
    row: dict[str, Any]
    now: datetime
    events: list[Event] = field(default_factory=list)

    @property
    def state(self) -> ActionState:
        """The action's state."""
        return ActionState(self.row["state"])

    @property
    def action_id(self) -> str:
        """The action's id."""
        return str(self.row["action_id"])

    def change(self, state: ActionState | None = None, **values: Any) -> None:
        """Set columns of the action, and its state if one is given."""
        if state is not None:
            assert may_become(self.row["state"], state), f"{self.row['state']} to {state}"
            values["state"] = state.value
        remediation.change(self.connection, self.action_id, values)
        self.row |= values

    def mitigate(self, state: ActionState) -> list[str] | None:
        """Set the incident's mitigation as the action's new state wants it; [before, after] if that changes it."""
        before = self.incident["mitigation"]
        others = remediation.is_any_other_under_way(self.connection, self.row)
        after = mitigation_after(before, state, others_under_way=others)
        if after is None:
            return None
        values = {"mitigation": after.value}
        incident_changes.change(self.connection, self.incident["incident_id"], values)
        self.incident |= values
        return [str(before), after.value]

    def note(self, kind: EventType, actor: str = WORKER, **payload: Any) -> Event:
        """An event of this action, to be told by `close`."""
        event = Event(
            type=kind,
            created_at=self.runtime.clock(),
            actor=actor,
            trace_id=self.row["trace_id"],
            incident_id=self.row["incident_id"],
            action_id=self.action_id,
            payload=told(self.row) | payload,
        )
        self.events.append(event)
        return event

    def close(self) -> None:
        """Write the events, and what the rules ask for because of them."""
        if self.events:
            incident = self.incident
            tell(self.connection, self.runtime, self.events, lambda event: subject_of_row(event, incident))
            self.events = []


def hold(connection: Connection, runtime: Runtime, action_id: str) -> Held | None:
    """Lock the action and its incident, the incident first; None where there is no such action."""
    found = remediation.find(connection, action_id)
    incident = incident_changes.find_and_lock(connection, found["incident_id"]) if found else None
    if incident is None:
        return None
    row = remediation.lock(connection, action_id)
    return Held(connection, runtime, dict(incident), dict(row), database_clock.now(connection))

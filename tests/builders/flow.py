"""Many incidents at once, and what a channel was told of each; rules for tests that want no others than these."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select, update

from receiver.domain.events import Event, EventType
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.intake import Intake
from receiver.services.subjects import subject_of_row
from receiver.storage.incident_changes import change, find_and_lock
from receiver.storage.tables import controls, incidents, notifications, remediation_actions
from tests.builders import bodies
from tests.builders.jobs import pass_time
from tests.builders.rules import rules_text
from tests.fakes.slack import SlackServer

TELL = """
- name: tell-everybody
  on: [incident.opened, incident.acknowledged, incident.resolved]
  notify: {channels: all}
"""


def rules_file(folder: Path, rules: str = TELL, head: str = "") -> str:
    """A file with these rules; its path."""
    path = folder / "rules.yml"
    path.write_text(rules_text(rules, head))
    return str(path)


class Storm:
    """That many incidents, one a service, told by one body at a time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._intake = Intake(runtime)

    def breaks(self, count: int, *, severity: str = "warning", name: str = "s") -> list[str]:
        """The incidents open; their ids."""
        return self._send(count, "firing", severity, name)

    def ends(self, count: int, *, severity: str = "warning", name: str = "s") -> list[str]:
        """The first `count` of them are over."""
        return self._send(count, "resolved", severity, name)

    def _send(self, count: int, status: str, severity: str, name: str) -> list[str]:
        alerts = [
            bodies.alert(status=status, severity=severity, service=f"{name}{number}")
            for number in range(count)
        ]
        return self.send(alerts)

    def send(self, alerts: Sequence[dict[str, Any]]) -> list[str]:
        """These alerts come in; the ids of their incidents."""
        delivery = self._intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id())
        return [one.incident_id for one in self._intake.accept(delivery).incidents]


def told(engine: Engine, channel: str, template: str) -> dict[str, str]:
    """The state of each incident's message on one occasion, by the incident's id."""
    query = select(notifications.c.incident_id, notifications.c.state).where(
        notifications.c.channel == channel, notifications.c.template == template
    )
    with engine.connect() as connection:
        found = connection.execute(query).all()
    assert len({incident_id for incident_id, _ in found}) == len(found)
    return {incident_id: state.value for incident_id, state in found}


def mentions(engine: Engine, slack: SlackServer, incident_ids: Sequence[str]) -> Counter[str]:
    """In how many of Slack's messages each incident is named, by its number."""
    texts = [json.dumps(message.json) for message in slack.delivered()]
    query = select(incidents.c.incident_id, incidents.c.number)
    with engine.connect() as connection:
        numbers = {row.incident_id: row.number for row in connection.execute(query)}
    names = {one: re.compile(rf"INC-{numbers[one]}(?![0-9])") for one in incident_ids}
    return Counter({one: sum(bool(name.search(text)) for text in texts) for one, name in names.items()})


def let_time_pass(engine: Engine, seconds: float) -> None:
    """Jobs come due so much earlier, and what channels were sent lies so much longer back."""
    pass_time(engine, seconds)
    with engine.begin() as connection:
        for row in connection.execute(select(controls)).mappings().all():
            if row["name"].startswith("notify:") and row["value"].get("since"):
                earlier = datetime.fromisoformat(row["value"]["since"]) - timedelta(seconds=seconds)
                value = {**row["value"], "since": earlier.isoformat()}
                connection.execute(update(controls).where(controls.c.name == row["name"]).values(value=value))


def action_ends(
    runtime: Runtime, incident_id: str, type_: EventType = EventType.ACTION_FAILED, *, ordinal: int = 1
) -> str:
    """An action of the incident has ended so, and with it the mitigation; the action's id.

    action.requested: it waits for somebody's approval.
    """
    action_id = f"ACT-{ordinal:024x}"
    failed = type_ is EventType.ACTION_FAILED
    state, mitigation = {
        EventType.ACTION_FAILED: ("failed", "failed"),
        EventType.ACTION_COMPLETED: ("completed", "succeeded"),
        EventType.ACTION_REQUESTED: ("awaiting_approval", "none"),
    }[type_]
    with runtime.engine.begin() as connection:
        row = find_and_lock(connection, incident_id)
        assert row is not None
        connection.execute(
            insert(remediation_actions).values(
                action_id=action_id,
                incident_id=incident_id,
                ordinal=ordinal,
                type="kubernetes.scale",
                target="kubernetes:shop/deployment/checkout",
                parameters={"replicas": 3},
                options={},
                from_state={"replicas": 2},
                to_state={"replicas": 3},
                requested_by="rule scale-up",
                reason="CPU is high",
                state=state,
                is_dry_run=False,
                error="the API server did not answer" if failed else None,
                output=None if failed else "scale checkout from 2 to 3 replicas",
                requested_at=runtime.clock(),
                trace_id="0" * 32,
            )
        )
        change(connection, incident_id, {"mitigation": mitigation})
        event = Event(
            type=type_,
            created_at=runtime.clock(),
            actor="worker",
            trace_id="0" * 32,
            incident_id=incident_id,
            action_id=action_id,
            payload={"ordinal": ordinal, "needs_approval": type_ is EventType.ACTION_REQUESTED},
        )
        tell(connection, runtime, [event], lambda told: subject_of_row(told, row))
    return action_id

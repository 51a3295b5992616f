"""Actions for tests: incidents that need mending, rules that ask for it, and a cluster that can be mended."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, RowMapping, select, update

from receiver.clock import utc_now
from receiver.domain.events import Event, EventType
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.run_spec import RunSpec
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.intake import Intake
from receiver.services.remediation.request import ActionWish, request_actions
from receiver.services.subjects import subject_of_row
from receiver.services.transaction import transact
from receiver.storage import incident_changes, jobs
from receiver.storage.tables import (
    approvals,
    audit_log,
    circuit_breakers,
    events,
    incidents,
    remediation_actions,
)
from receiver.worker.loop import run_due
from tests.builders import bodies

QUEUES = ("remediate",)
_numbers = itertools.count(1)


def scale(service: str = "svc-a", by: int = 1, **options: Any) -> RunSpec:
    """One more replica."""
    target = {"namespace": "shop", "deployment": service}
    return RunSpec("kubernetes.scale", target, {"by": by, "max": 100}, **options)


def restart(service: str = "svc-a", **options: Any) -> RunSpec:
    """A rollout restart."""
    return RunSpec("kubernetes.rollout_restart", {"namespace": "shop", "deployment": service}, {}, **options)


def open_incident(runtime: Runtime, **labels: Any) -> str:
    """An incident of its own; its id."""
    labels.setdefault("service", f"svc-{next(_numbers)}")
    intake = Intake(runtime)
    body = bodies.alertmanager([bodies.alert(**labels)])
    return intake.accept(intake.read(body, trace_id=new_trace_id())).incidents[0].incident_id


def resolve_alert(runtime: Runtime, **labels: Any) -> None:
    """The alert with these labels is over."""
    intake = Intake(runtime)
    body = bodies.alertmanager([bodies.alert(status="resolved", **labels)])
    intake.accept(intake.read(body, trace_id=new_trace_id()))


def wish(
    runtime: Runtime,
    incident_id: str,
    spec: RunSpec,
    *,
    rule: str = "mend",
    cause: str = "incident.opened",
    labels: Mapping[str, str] | None = None,
) -> str:
    """Have a rule ask for an action, as services/effects does; the action's id."""
    asked = ActionWish(
        incident_id=incident_id,
        spec=spec,
        subject=Subject({}, dict(labels or {})),
        rule=rule,
        cause=cause,
        requested_by=f"rule {rule}",
        at=utc_now(),
        trace_id=new_trace_id(),
    )

    def work(connection: Any, attempt: int) -> None:
        row = incident_changes.find_and_lock(connection, incident_id)
        assert row is not None
        told, requests = request_actions(connection, runtime, [asked])
        tell(connection, runtime, told, lambda event: subject_of_row(event, row))
        jobs.insert_many(connection, requests)

    transact(runtime.engine, work)
    return asked.action_id


def work(runtime: Runtime, **options: Any) -> int:
    """Do all remediation that is due."""
    return run_due(runtime, queues=QUEUES, **options)


def action(engine: Engine, action_id: str) -> RowMapping:
    """The action as it is now."""
    wanted = select(remediation_actions).where(remediation_actions.c.action_id == action_id)
    with engine.connect() as connection:
        return connection.execute(wanted).mappings().one()


def actions(engine: Engine) -> list[RowMapping]:
    """All actions, in the order in which they were asked for."""
    wanted = select(remediation_actions).order_by(
        remediation_actions.c.requested_at, remediation_actions.c.ordinal
    )
    with engine.connect() as connection:
        return list(connection.execute(wanted).mappings())


def incident(engine: Engine, incident_id: str) -> RowMapping:
    """The incident as it is now."""
    with engine.connect() as connection:
        return (
            connection.execute(select(incidents).where(incidents.c.incident_id == incident_id))
            .mappings()
            .one()
        )


def timeline(engine: Engine, incident_id: str) -> list[Event]:
    """The incident's events in their order."""
    wanted = select(events).where(events.c.incident_id == incident_id).order_by(events.c.event_id)
    with engine.connect() as connection:
        return [
            Event(
                EventType(row["type"]),
                row["created_at"],
                row["actor"],
                row["trace_id"],
                row["incident_id"],
                row["alert_id"],
                row["action_id"],
                row["payload"],
            )
            for row in connection.execute(wanted).mappings()
        ]


def of_type(engine: Engine, incident_id: str, kind: EventType) -> list[Event]:
    """The incident's events of one type."""
    return [event for event in timeline(engine, incident_id) if event.type is kind]


def approval(engine: Engine, action_id: str) -> RowMapping:
    """What people said to the action."""
    with engine.connect() as connection:
        return (
            connection.execute(select(approvals).where(approvals.c.action_id == action_id)).mappings().one()
        )


def breaker(engine: Engine, system: str = "kubernetes") -> RowMapping:
    """The breaker of a system."""
    wanted = select(circuit_breakers).where(circuit_breakers.c.target_system == system)
    with engine.connect() as connection:
        return connection.execute(wanted).mappings().one()


def audits(engine: Engine) -> list[RowMapping]:
    """The audit, the oldest entry first."""
    with engine.connect() as connection:
        return list(connection.execute(select(audit_log).order_by(audit_log.c.audit_id)).mappings())


def let_time_pass(engine: Engine, seconds: float) -> None:
    """As if that time had passed: for actions, approvals and breakers. Jobs: tests.builders.jobs.pass_time."""
    moments = {
        remediation_actions: ("requested_at", "expires_at", "started_at"),
        approvals: ("expires_at",),
        circuit_breakers: ("opened_at", "probe_until"),
    }
    with engine.begin() as connection:
        for table, names in moments.items():
            (key,) = table.primary_key.columns
            for row in connection.execute(select(table)).mappings().all():
                earlier = {name: row[name] - timedelta(seconds=seconds) for name in names if row[name]}
                if earlier:
                    connection.execute(update(table).where(key == row[key.name]).values(earlier))

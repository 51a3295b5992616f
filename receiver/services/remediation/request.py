"""Writes down the actions that rules ask for, each once, with the event and the job that go with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from receiver.domain.action import Order
from receiver.domain.action_state import ActionState
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import JobKind, JobRequest
from receiver.domain.remediation import Mode, Refusal, Safety, is_allowed, mitigation_after, needs_approval
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.render import view_of
from receiver.domain.rules.run_spec import RunSpec
from receiver.errors import RenderFailed
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services.remediation.facts import count_refusal, logged, told
from receiver.storage import database_clock, incident_changes, remediation

ATTEMPTS = 6  # with the default backoff: about half a minute
_log = event_logger("remediation")


@dataclass(frozen=True, slots=True)
class ActionWish:
    """An action that a rule asks for. `cause`: the event it follows from, with the action of that, if any.

    The texts of `spec` are not filled in yet; `subject` is what they are filled from.
    """

    incident_id: str
    spec: RunSpec
    subject: Subject
    rule: str
    cause: str
    requested_by: str
    at: datetime
    trace_id: str

    @property
    def action_id(self) -> str:
        """The same for the same wish: an action is asked for once per incident, rule and cause (invariant I5)."""
        digest = hashlib.sha256(f"{self.incident_id}|{self.rule}|{self.cause}".encode()).hexdigest()
        return f"ACT-{digest[:24]}"


def request_actions(
    connection: Connection, runtime: Runtime, wishes: Sequence[ActionWish]
) -> tuple[list[Event], list[JobRequest]]:
    """Insert the actions that are new, and return the events that tell of them and the jobs that will run them.

    Neither is written yet. A text that cannot be filled in makes a refused action. The incidents' locks must be held.
    """
    wanted = {wish.action_id: wish for wish in wishes}
    known = remediation.existing(connection, wanted)
    events: list[Event] = []
    jobs: list[JobRequest] = []
    refused: list[tuple[dict[str, Any], ActionWish, str]] = []
    for action_id, wish in wanted.items():
        if action_id in known:
            continue
        row, refusal = _row(connection, runtime, wish)
        asked, job = add(connection, runtime, row, wish.at, wish.cause)
        events.append(asked)
        if refusal:
            refused.append((row, wish, refusal))
        else:
            jobs.append(job)
    for row, wish, refusal in refused:  # after the others, which may be what the mitigation goes on with
        events.append(_refused(connection, row, wish, refusal))
    return events, jobs


def add(
    connection: Connection, runtime: Runtime, row: dict[str, Any], at: datetime, cause: str
) -> tuple[Event, JobRequest]:
    """Insert a new action; returns the event and the job that go with it, not written yet.

    `ordinal` and the times are put into `row` here, by the database's clock. The incident's lock must be held.
    """
    now = database_clock.now(connection)
    row["options"]["approval_told"] = _will_need_approval(runtime, row)
    row["ordinal"] = remediation.next_ordinal(connection, row["incident_id"])
    row["requested_at"] = now
    row["expires_at"] = now + timedelta(seconds=row["options"]["expires_after_seconds"])
    if row["state"] == ActionState.REFUSED.value:
        row["finished_at"] = now
    remediation.insert_row(connection, row)
    asked = Event(
        type=EventType.ACTION_REQUESTED,
        created_at=at,
        actor=row["requested_by"],
        trace_id=row["trace_id"],
        incident_id=row["incident_id"],
        action_id=row["action_id"],
        payload=told(row)
        | {
            "cause": cause,
            "parameters": row["parameters"],
            "needs_approval": row["options"]["approval_told"],
        },
    )
    return asked, action_job(row, f"remediate:{row['action_id']}")


def safety_of(runtime: Runtime) -> Safety:
    """The operator's limits for actions."""
    settings = runtime.settings
    return Safety(settings.remediation_allow, settings.remediation_approval, settings.remediation_per_hour)


def _will_need_approval(runtime: Runtime, row: dict[str, Any]) -> bool:
    """By the settings of now. What is refused or only told is put to nobody."""
    safety = safety_of(runtime)
    may_run = row["state"] == ActionState.REQUESTED and is_allowed(row["type"], safety)
    is_on = runtime.settings.remediation == Mode.ON and not row["is_dry_run"]
    return may_run and is_on and needs_approval(row["type"], safety, row["options"]["needs_approval"])


def action_job(row: Any, key: str, step: str = "run", delay_seconds: float = 0.0) -> JobRequest:
    """A job for the action `row`; `step` is what the job is for: run, verify or expire."""
    return JobRequest(
        kind=JobKind.REMEDIATE,
        queue=JobKind.REMEDIATE.value,
        idempotency_key=key,
        payload={"action_id": row["action_id"], "step": step},
        incident_id=row["incident_id"],
        trace_id=row["trace_id"],
        max_attempts=ATTEMPTS,
        delay_seconds=delay_seconds,
    )


def target_text(runtime: Runtime, order: Order) -> str:
    """The target in one line, as people and the budget know it; of an order that cannot be run, what it names."""
    action = runtime.actions.get(order.action)
    if action is None or action.check(order):
        return ", ".join(f"{name}={value}" for name, value in sorted(order.target.items()))
    return action.target_text(order)


def _row(connection: Connection, runtime: Runtime, wish: ActionWish) -> tuple[dict[str, Any], str]:
    """The columns of the new action, and why it cannot be, empty if it can."""
    spec, refusal = wish.spec, ""
    try:
        spec = spec.rendered(view_of(wish.subject, wish.incident_id))
    except RenderFailed as failed:
        refusal = str(failed)
    row = row_of(
        runtime,
        spec,
        action_id=wish.action_id,
        incident_id=wish.incident_id,
        requested_by=wish.requested_by,
        trace_id=wish.trace_id,
        reason=f"rule {wish.rule} on {wish.cause.partition(':')[0]}",
    )
    row["options"] |= {"rule": wish.rule, "cause": wish.cause}
    if refusal:
        row |= {"state": ActionState.REFUSED.value, "error": refusal[:1000]}
    return row, refusal


def row_of(
    runtime: Runtime,
    spec: RunSpec,
    *,
    action_id: str,
    incident_id: str,
    requested_by: str,
    trace_id: str,
    reason: str,
) -> dict[str, Any]:
    """The columns of a new action from a spec whose texts are filled in; times and ordinal are missing still."""
    order = Order(spec.action, spec.target, spec.parameters, action_id)
    return {
        "action_id": action_id,
        "incident_id": incident_id,
        "type": spec.action[:64],
        "target": target_text(runtime, order)[:255],
        "parameters": dict(spec.parameters),
        "options": {
            "target": dict(spec.target),
            "dry_run": spec.is_dry_run,
            "needs_approval": spec.needs_approval,
            "expires_after_seconds": spec.expires_after_seconds,
            "resolves": spec.resolves,
            "verify": asdict(spec.verify) if spec.verify else None,
        },
        "requested_by": requested_by[:190],
        "reason": reason[:500],
        "state": ActionState.REQUESTED.value,
        "is_dry_run": spec.is_dry_run,
        "trace_id": trace_id,
    }


def _refused(connection: Connection, row: dict[str, Any], wish: ActionWish, reason: str) -> Event:
    count_refusal(Refusal.INVALID)
    _log.warning("action.refused", extra=logged(row) | {"reason": reason})
    return Event(
        type=EventType.ACTION_REJECTED,
        created_at=wish.at,
        actor="worker",
        trace_id=wish.trace_id,
        incident_id=wish.incident_id,
        action_id=row["action_id"],
        payload=told(row)
        | {"outcome": ActionState.REFUSED.value, "refusal": Refusal.INVALID.value, "reason": reason}
        | _mitigated(connection, row),
    )


def _mitigated(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    """What the refusal has made of the incident's mitigation, for its event."""
    incident_id = row["incident_id"]
    incident = incident_changes.lock(connection, incident_id, incident_id.rpartition("-")[2])
    others = remediation.is_any_other_under_way(connection, row)
    after = mitigation_after(incident["mitigation"], ActionState.REFUSED, others_under_way=others)
    if after is None:
        return {}
    incident_changes.change(connection, incident_id, {"mitigation": after.value})
    return {"mitigation": [str(incident["mitigation"]), after.value]}

"""How an action ended: its row, its incident's mitigation, and the event that tells it, all in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from receiver.clock import isoformat
from receiver.domain.action import Plan, Result
from receiver.domain.action_state import ActionState, ApprovalState
from receiver.domain.breaker import Change
from receiver.domain.events import EventType
from receiver.domain.incident import Mitigation
from receiver.domain.remediation import Refusal
from receiver.logs import event_logger
from receiver.services.remediation.facts import count_end, count_refusal, logged
from receiver.services.remediation.held import WORKER, Held
from receiver.services.remediation.request import action_job
from receiver.services.resolution import resolve_incident
from receiver.storage import approvals, audit, breakers, jobs
from receiver.storage.text import fit

_log = event_logger("remediation")
_LONGEST_OUTPUT = 64 * 1024
FIRST_LOOK_SECONDS = 2.0  # what has been changed takes a moment to show


def carried_out(held: Held, result: Result) -> None:
    """The call was made and has had its effect: the action is complete, or it is to be seen whether it helped."""
    values: dict[str, Any] = {"output": fit(result.output, _LONGEST_OUTPUT), "error": None}
    if result.to_state:
        values["to_state"] = dict(result.to_state)
    held.change(**values)
    if held.row["options"].get("verify"):
        _verify(held)
    else:
        complete(held)


def complete(held: Held, how: str = "") -> None:
    """It has helped, as far as anybody asked to know. The incident is resolved if the rule says so."""
    held.change(ActionState.COMPLETED, finished_at=held.now)
    changed = held.mitigate(ActionState.COMPLETED)
    told = {"outcome": "completed", "from": held.row["from_state"], "to": held.row["to_state"]}
    if how:
        told["verified"] = how
    event = held.note(EventType.ACTION_COMPLETED, **told, **_mitigation(changed))
    if held.row["options"].get("resolves"):
        _resolve(held, event.created_at)
    _ended(held, ActionState.COMPLETED)


def told_only(held: Held, plan: Plan, remarks: str) -> None:
    """A dry run: what would have been done is kept, and nothing follows from it."""
    output = "; ".join(filter(None, [plan.text, remarks]))
    held.change(
        ActionState.COMPLETED,
        is_dry_run=True,
        output=fit(output, _LONGEST_OUTPUT),
        from_state=dict(plan.from_state),
        to_state=dict(plan.to_state),
        finished_at=held.now,
    )
    held.note(EventType.ACTION_COMPLETED, outcome="dry_run", plan=plan.text, remarks=remarks)
    _ended(held, ActionState.COMPLETED)


def nothing_to_do(held: Held, plan: Plan) -> None:
    """All is as the action would have it, so it mends nothing; unless a check says that it need not."""
    held.change(output=plan.text, from_state=dict(plan.from_state), to_state=dict(plan.to_state))
    if held.row["options"].get("verify"):
        _verify(held)
    else:
        fail(held, f"there was nothing to do: {plan.text}", outcome="nothing_to_do")


def fail(held: Held, reason: str, outcome: str = "failed") -> None:
    """It has not helped. Rules may ask for something else."""
    held.change(ActionState.FAILED, error=fit(reason, 1000), finished_at=held.now)
    changed = held.mitigate(ActionState.FAILED)
    held.note(EventType.ACTION_FAILED, outcome=outcome, reason=reason, **_mitigation(changed))
    _ended(held, ActionState.FAILED, reason)


def lose(held: Held, reason: str) -> None:
    """It may have had its effect and nobody can tell: people have to look. It never runs again (invariant I5)."""
    held.change(ActionState.UNKNOWN, error=fit(reason, 1000), finished_at=held.now)
    changed = held.mitigate(ActionState.UNKNOWN)
    held.note(EventType.ACTION_FAILED, outcome="unknown", reason=reason, **_mitigation(changed))
    _ended(held, ActionState.UNKNOWN, reason)


def refuse(held: Held, refusal: Refusal, reason: str, actor: str = WORKER) -> None:
    """It is not carried out, and never will be."""
    state = ActionState.EXPIRED if refusal is Refusal.EXPIRED else ActionState.REFUSED
    if held.state is ActionState.AWAITING_APPROVAL and refusal is not Refusal.REJECTED:
        approvals.decide(held.connection, held.action_id, ApprovalState.EXPIRED, held.now)
    held.change(state, error=fit(reason, 1000), finished_at=held.now)
    # What a person asked for and never began says nothing of what automation can do, unless an attempt did begin.
    counts = held.row["options"].get("rule") or held.incident["mitigation"] == Mitigation.MITIGATING
    changed = held.mitigate(state) if counts else None
    held.note(
        EventType.ACTION_REJECTED,
        actor,
        outcome=state.value,
        refusal=refusal.value,
        reason=reason,
        **_mitigation(changed),
    )
    count_refusal(refusal)
    _ended(held, state, reason)


def judge_system(held: Held, system: str, change: Change) -> None:
    """Note in the system's breaker what a call has told of its health. What opens or closes it is audited."""
    before = breakers.lock(held.connection, system, held.now)
    after = change(before, held.now)
    if after == before:
        return
    breakers.save(held.connection, system, after, held.now)
    if after.state is before.state:
        return
    detail = {"from": before.state.value, "to": after.state.value, "failures": after.failures}
    _log.warning(f"breaker.{after.state.value}", extra={"system": system, "failures": after.failures})
    audit.write(
        held.connection,
        actor=WORKER,
        action=f"breaker.{after.state.value}",
        target=system,
        at=held.now,
        trace_id=held.row["trace_id"],
        detail=detail | {"action_id": held.action_id},
    )


def _verify(held: Held) -> None:
    options = held.row["options"]
    until = held.now + timedelta(seconds=options["verify"]["within_seconds"])
    held.change(ActionState.VERIFYING, options=options | {"verify_until": isoformat(until)})
    key = f"remediate:{held.action_id}:verify"
    jobs.insert_once(held.connection, [action_job(held.row, key, "verify", FIRST_LOOK_SECONDS)])


def _resolve(held: Held, at: datetime) -> None:
    rule = held.row["options"].get("rule")
    actor = f"rule {rule}" if rule else held.row["requested_by"]
    payload: Mapping[str, Any] = {
        "reason": f"{held.row['type']} on {held.row['target']} has helped",
        "rule": rule or "",
        "action_id": held.action_id,
    }
    resolved = resolve_incident(
        held.connection, held.incident, actor=actor, at=at, trace_id=held.row["trace_id"], payload=payload
    )
    if resolved is not None:
        held.events.append(resolved)


def _mitigation(changed: list[str] | None) -> dict[str, Any]:
    return {"mitigation": changed} if changed else {}


def _ended(held: Held, state: ActionState, reason: str = "") -> None:
    count_end(held.row, state)
    level = _log.info if state is ActionState.COMPLETED else _log.warning
    level(f"action.{state.value}", extra=logged(held.row) | ({"reason": reason} if reason else {}))

"""Whether an action may run now, decided under locks: its job's, its incident's, its own, its target system's.

It is asked twice. `begin` comes before anything is asked of the target system; `authorise` comes when the plan is
there, and marks the action as running. Of all workers only one gets past each of them, and what the second one finds
running has been begun by somebody who did not come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from receiver.domain.action import Order, Plan
from receiver.domain.action_state import ActionState, ApprovalState
from receiver.domain.breaker import Limits, admit, after_answer
from receiver.domain.events import EventType
from receiver.domain.jobs import ClaimedJob
from receiver.domain.remediation import BUDGET_SECONDS, Case, Ruling, Step, rule
from receiver.ids import new_ulid
from receiver.remediation.base import Action
from receiver.runtime import Runtime
from receiver.services.remediation import endings
from receiver.services.remediation.held import Held, hold
from receiver.services.remediation.request import action_job, safety_of
from receiver.services.remediation.switch import mode_now
from receiver.services.transaction import transact
from receiver.storage import approvals, breakers, jobs, leases, remediation

LOST = "the worker that began it did not come back, so it may have been carried out"


@dataclass(frozen=True, slots=True)
class Turn:
    """What an action's turn has come to. For RUN, TELL and ASK there is an order; `probe` names it as the probe.

    `mark` is this turn's own: an action that is running under another one was begun by somebody else.
    """

    ruling: Ruling
    order: Order | None = None
    action: Action | None = None
    system: str = ""
    probe: datetime | None = None
    mark: str = field(default_factory=new_ulid)


def begin(runtime: Runtime, job: ClaimedJob) -> Turn:
    """Decide whether the action's target may be asked at all, and say that the incident is being mended.

    What refuses it is written at once. Raises LeaseLost, StorageUnavailable.
    """

    def work(connection: Connection, attempt: int) -> Turn:
        held = _held(connection, runtime, job, "")
        if isinstance(held, Ruling):
            return Turn(held)
        turn = _judge(held, None)
        match turn.ruling.step:
            case Step.REFUSE | Step.EXPIRE:
                _refuse(held, turn.ruling)
            case Step.RUN:
                _say_that_it_begins(held)
        held.close()
        return turn

    return transact(runtime.engine, work)


def authorise(runtime: Runtime, job: ClaimedJob, begun: Turn, plan: Plan) -> Ruling:
    """Mark the action as running, or do what else is to be done with it; RUN means: make the call, now.

    Raises LeaseLost, StorageUnavailable.
    """

    def work(connection: Connection, attempt: int) -> Ruling:
        held = _held(connection, runtime, job, begun.mark)
        if isinstance(held, Ruling):
            return held
        ruling = _judge(held, begun.probe).ruling
        is_idle = plan.is_noop and ruling.step in (Step.RUN, Step.ASK)
        if ruling.step is not Step.RUN or is_idle:  # the plan was all that was asked of the system
            endings.judge_system(held, begun.system, lambda breaker, now: after_answer(breaker, begun.probe))
        match ruling.step:
            case Step.REFUSE | Step.EXPIRE:
                _refuse(held, ruling)
            case Step.TELL:
                endings.told_only(held, plan, ruling.reason)
            case Step.RUN | Step.ASK if is_idle:
                endings.nothing_to_do(held, plan)
                ruling = Ruling(Step.TELL, "there was nothing to do")
            case Step.ASK:
                _ask(held, plan)
            case Step.RUN:
                _mark_running(held, begun.mark, plan)
        held.close()
        return ruling

    return transact(runtime.engine, work)


def settle(
    runtime: Runtime, job: ClaimedJob, begun: Turn, write: Callable[[Held], None], connection: Connection
) -> None:
    """Write how the call of this very turn ended. What somebody else has recorded stays as it is."""
    held = hold(connection, runtime, job.payload["action_id"])
    if held is not None and _is_running(held, begun):
        write(held)
        held.close()


def step_back(
    runtime: Runtime, job: ClaimedJob, begun: Turn, write: Callable[[Held], None], reason: str
) -> None:
    """Note an attempt that is known to have had no effect: the action waits for another one.

    Raises LeaseLost, StorageUnavailable.
    """

    def work(connection: Connection, attempt: int) -> None:
        leases.hold(connection, job)
        held = hold(connection, runtime, job.payload["action_id"])
        if held is None:
            return
        if _is_running(held, begun):
            held.change(ActionState.REQUESTED, lease_token=None)
        if held.state is ActionState.REQUESTED:
            held.change(error=reason[:1000])
            write(held)

    transact(runtime.engine, work)


def _is_running(held: Held, begun: Turn) -> bool:
    return held.state is ActionState.RUNNING and held.row["lease_token"] == begun.mark


def _held(connection: Connection, runtime: Runtime, job: ClaimedJob, mark: str) -> Held | Ruling:
    """The action if it is to be decided on; else why it is not."""
    leases.hold(connection, job)
    held = hold(connection, runtime, job.payload["action_id"])
    if held is None:
        return Ruling(Step.REFUSE, "there is no such action any more")
    if held.state is ActionState.REQUESTED:
        return held
    if held.state is not ActionState.RUNNING:
        return Ruling(Step.REFUSE, f"the action is {held.state} already")
    if held.row["lease_token"] == mark:  # our own COMMIT went through, only its answer was lost
        return Ruling(Step.RUN)
    endings.lose(held, LOST)
    held.close()
    return Ruling(Step.REFUSE, LOST)


def order_of(row: Any) -> Order:
    """What the row asks of its action."""
    return Order(row["type"], row["options"]["target"], row["parameters"], row["action_id"])


def limits_of(runtime: Runtime) -> Limits:
    """The operator's limits for breakers."""
    return Limits(runtime.settings.breaker_failures, runtime.settings.breaker_seconds)


def _judge(held: Held, probe: datetime | None) -> Turn:
    """What the rules of safety say, counted under the lock of the target's system."""
    runtime, row, connection = held.runtime, held.row, held.connection
    mode = mode_now(connection, runtime.settings)
    order = order_of(row)
    action = runtime.actions.get(order.action)
    problems = [f"there is no action {order.action}"] if action is None else action.check(order)
    target, system, delay = row["target"], "", 0.0
    admission = None
    if action is not None and not problems:
        target, system = action.target_text(order)[:255], action.system(order)
        admission = admit(breakers.lock(connection, system, held.now), held.now, limits_of(runtime), probe)
        delay = admission.delay_seconds
    approval = approvals.find(connection, held.action_id)
    on_target, of_incident = remediation.runs(connection, row, target, held.now, BUDGET_SECONDS)
    case = Case(
        action=order.action,
        target=target,
        mode=mode,
        incident_status=held.incident["status"],
        expires_at=row["expires_at"],
        problems=problems,
        is_dry_run=bool(row["options"]["dry_run"]),
        is_by_person=not row["options"].get("rule"),
        needs_approval=row["options"]["needs_approval"],
        is_approved=approval is not None and approval["state"] == ApprovalState.APPROVED,
        runs_on_target=on_target,
        runs_of_incident=of_incident,
        system=system,
        breaker_delay_seconds=delay,
    )
    ruling = rule(case, safety_of(runtime), held.now)
    if target != row["target"]:
        held.change(target=target)
    if admission is None or ruling.step not in (Step.RUN, Step.ASK, Step.TELL):
        return Turn(ruling)
    endings.judge_system(held, system, lambda breaker, now: admission.breaker)
    return Turn(ruling, order, action, system, admission.breaker.probe_until)


def _refuse(held: Held, ruling: Ruling) -> None:
    assert ruling.refusal is not None, "a refusal says why"
    endings.refuse(held, ruling.refusal, ruling.reason)


def _say_that_it_begins(held: Held) -> None:
    changed = held.mitigate(ActionState.RUNNING)
    if changed:
        held.note(EventType.INCIDENT_UPDATED, changes={"mitigation": changed})


def _mark_running(held: Held, mark: str, plan: Plan) -> None:
    held.change(
        ActionState.RUNNING,
        lease_token=mark,
        attempt=held.row["attempt"] + 1,
        started_at=held.now,
        is_dry_run=False,
        from_state=dict(plan.from_state),
        to_state=dict(plan.to_state),
        output=plan.text,
    )


def _ask(held: Held, plan: Plan) -> None:
    held.change(
        ActionState.AWAITING_APPROVAL,
        from_state=dict(plan.from_state),
        to_state=dict(plan.to_state),
        output=plan.text,
    )
    expires_at: datetime = held.row["expires_at"]
    approvals.ask(held.connection, held.action_id, held.now, expires_at)
    if not held.row["options"].get(
        "approval_told"
    ):  # the settings, or the switch, were different when it was asked for
        held.note(EventType.ACTION_REQUESTED, needs_approval=True, plan=plan.text)
    left = (expires_at - held.now) / timedelta(seconds=1)
    key = f"remediate:{held.action_id}:expire"
    jobs.insert_once(held.connection, [action_job(held.row, key, "expire", left + 1.0)])

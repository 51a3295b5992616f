"""The `remediate` job: an action's turn, the look whether it has helped, or the end of its time."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from receiver.domain.action import Plan, Result
from receiver.domain.action_state import ActionState
from receiver.domain.breaker import after_answer, change_after
from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.domain.remediation import Refusal, Ruling, Step
from receiver.errors import DeliveryFailed, LeaseLost
from receiver.runtime import Runtime
from receiver.services.job_handler import Completion
from receiver.services.remediation import endings
from receiver.services.remediation.authorise import LOST, Turn, authorise, begin, limits_of, settle, step_back
from receiver.services.remediation.held import Held, hold
from receiver.services.remediation.verify import Verifier


class RemediateHandler:
    """Carries actions out, each at most once (invariant I5)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._verifier = Verifier(runtime)

    def run(self, job: ClaimedJob) -> Completion:
        """Plan, have it authorised, make the call, and say what came of it.

        Raises DeliveryFailed where the attempt is known to have had no effect; StorageUnavailable.
        """
        match job.payload.get("step", "run"):
            case "verify":
                return self._verifier.run(job)
            case "expire":
                return Completion(Outcome(Verdict.DONE, "seen to"), partial(self._expire, job))
        try:
            return self._take_turn(job)
        except LeaseLost as lost:  # what is returned cannot be recorded either, and the new owner decides
            return Completion(Outcome(Verdict.RETRY, str(lost)))

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """No attempt follows any more: what may have been begun is unknown, all else has failed."""
        held = hold(connection, self._runtime, job.payload["action_id"])
        if held is None:
            return
        match held.state:
            case ActionState.RUNNING:
                endings.lose(held, f"{LOST}: {reason}")
            case ActionState.REQUESTED:
                endings.fail(held, reason)
            case ActionState.VERIFYING if job.payload.get("step") == "verify":
                endings.fail(held, f"it was carried out, but not checked: {reason}", outcome="unverified")
        held.close()

    def _take_turn(self, job: ClaimedJob) -> Completion:
        begun = begin(self._runtime, job)
        if begun.action is None or begun.order is None:
            return _not_run(begun.ruling)
        try:
            plan = begun.action.plan(begun.order)
        except DeliveryFailed as failure:
            self._without_effect(job, begun, failure)
            raise
        ruling = authorise(self._runtime, job, begun, plan)
        if ruling.step is not Step.RUN:
            return _not_run(ruling)
        try:
            result = begun.action.run(begun.order, plan)
        except DeliveryFailed as failure:
            if failure.outcome_unknown:
                return self._unknown(job, begun, failure)
            self._without_effect(job, begun, failure)
            raise
        return Completion(
            Outcome(Verdict.DONE, "carried out"), partial(self._carried_out, job, begun, plan, result)
        )

    def _carried_out(
        self, job: ClaimedJob, begun: Turn, plan: Plan, result: Result, connection: Connection
    ) -> None:
        def write(held: Held) -> None:
            endings.judge_system(held, begun.system, lambda breaker, now: after_answer(breaker, begun.probe))
            endings.carried_out(held, result)

        settle(self._runtime, job, begun, write, connection)

    def _unknown(self, job: ClaimedJob, begun: Turn, failure: DeliveryFailed) -> Completion:
        def write(held: Held) -> None:
            endings.judge_system(
                held, begun.system, change_after(failure, limits_of(self._runtime), begun.probe)
            )
            endings.lose(held, f"it may have been carried out: {failure.reason}")

        outcome = Outcome(Verdict.DONE, f"outcome unknown: {failure.reason}")
        return Completion(outcome, partial(settle, self._runtime, job, begun, write))

    def _without_effect(self, job: ClaimedJob, begun: Turn, failure: DeliveryFailed) -> None:
        """Written at once, and not with the job's end: only then another attempt may begin it again."""
        change = change_after(failure, limits_of(self._runtime), begun.probe)
        step_back(
            self._runtime,
            job,
            begun,
            lambda held: endings.judge_system(held, begun.system, change),
            failure.reason,
        )

    def _expire(self, job: ClaimedJob, connection: Connection) -> None:
        held = hold(connection, self._runtime, job.payload["action_id"])
        if held is None or held.state is not ActionState.AWAITING_APPROVAL:
            return
        endings.refuse(held, Refusal.EXPIRED, "nobody approved it in time")
        held.close()


def _not_run(ruling: Ruling) -> Completion:
    if ruling.step is Step.WAIT:
        return Completion(Outcome(Verdict.WAIT, ruling.reason, ruling.delay_seconds))
    return Completion(Outcome(Verdict.DONE, f"{ruling.step}: {ruling.reason}".removesuffix(": ")))

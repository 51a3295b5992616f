"""The life of a remediation action, and whether one may begin: every safety rule with its reason stands here. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from receiver.domain.action_state import ActionState
from receiver.domain.incident import Mitigation, is_open, may_mitigate

BUDGET_SECONDS = 3600.0

TRANSITIONS: Mapping[ActionState, tuple[ActionState, ...]] = {
    ActionState.REQUESTED: (
        ActionState.AWAITING_APPROVAL,
        ActionState.RUNNING,
        ActionState.VERIFYING,  # there was nothing to do
        ActionState.COMPLETED,  # as a dry run, or there was nothing to do
        ActionState.FAILED,
        ActionState.REFUSED,
        ActionState.EXPIRED,
    ),
    ActionState.AWAITING_APPROVAL: (ActionState.REQUESTED, ActionState.REFUSED, ActionState.EXPIRED),
    ActionState.RUNNING: (
        ActionState.REQUESTED,  # the call is known to have had no effect: another attempt may follow
        ActionState.VERIFYING,
        ActionState.COMPLETED,
        ActionState.FAILED,
        ActionState.UNKNOWN,
    ),
    ActionState.VERIFYING: (ActionState.COMPLETED, ActionState.FAILED),
    ActionState.COMPLETED: (),
    ActionState.FAILED: (),
    ActionState.REFUSED: (),
    ActionState.EXPIRED: (),
    ActionState.UNKNOWN: (),
}
ENDED = frozenset(state for state, following in TRANSITIONS.items() if not following)
UNDER_WAY = frozenset(TRANSITIONS) - ENDED


def may_become(state: str, wanted: ActionState) -> bool:
    """Whether an action in `state` may become `wanted`."""
    return wanted in TRANSITIONS[ActionState(state)]


class Mode(StrEnum):
    """What remediation may do at all, from most to least."""

    ON = "on"
    DRY_RUN = "dry-run"  # everything is planned and told, nothing is done
    OFF = "off"


def stricter(one: str, other: str) -> Mode:
    """Of the setting and the switch, the one that allows less."""
    order = list(Mode)
    return max(Mode(one), Mode(other), key=order.index)


class Refusal(StrEnum):
    """Why an action was not carried out: for metrics and rules. People get a sentence beside it."""

    SWITCHED_OFF = "switched_off"
    NOT_ALLOWED = "not_allowed"
    INVALID = "invalid"
    INCIDENT_OVER = "incident_over"
    BUDGET = "budget"
    BREAKER = "breaker"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Step(StrEnum):
    """What is to be done with an action whose turn it is."""

    RUN = "run"
    TELL = "tell"  # a dry run: only say what would be done
    ASK = "ask"  # a person has to approve it
    WAIT = "wait"  # its target system is left alone for now
    REFUSE = "refuse"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The step, and why. `refusal` goes with REFUSE and EXPIRE, `delay_seconds` with WAIT."""

    step: Step
    reason: str = ""
    refusal: Refusal | None = None
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Safety:
    """The operator's limits. `allow` and `approval` hold names of actions, or globs as `kubernetes.*`."""

    allow: Collection[str]
    approval: Collection[str]
    per_hour: int


@dataclass(frozen=True, slots=True)
class Case:
    """An action whose turn it is, with all that the database says about it.

    `problems`: what its own check says of its target and parameters. `runs_on_target`, `runs_of_incident`: others of
    its kind that began in the last hour, on the same target, and for the same incident. `breaker_delay_seconds`: how
    long its system is still left alone, 0 if it may be asked.
    """

    action: str
    target: str
    mode: Mode
    incident_status: str
    expires_at: datetime | None
    problems: Sequence[str] = ()
    is_dry_run: bool = False
    is_by_person: bool = False
    needs_approval: bool = False
    is_approved: bool = False
    runs_on_target: int = 0
    runs_of_incident: int = 0
    system: str = ""
    breaker_delay_seconds: float = 0.0


def rule(case: Case, safety: Safety, now: datetime) -> Ruling:
    """What is to be done with the action, asked before it is planned and again right before it runs."""
    refused = _forbidden(case, safety) or _too_late(case, now)
    if refused is not None:
        return refused
    held = _left_alone(case, now)
    if case.is_dry_run or case.mode is Mode.DRY_RUN:
        return held or Ruling(Step.TELL, "; ".join(_remarks(case, safety)))
    over = _over_budget(case, safety)
    if over is not None or held is not None:
        return over or held  # type: ignore[return-value]  # one of them is there
    if needs_approval(case.action, safety, case.needs_approval) and not case.is_approved:
        return Ruling(Step.ASK, f"{case.action} needs a person's approval")
    return Ruling(Step.RUN)


def is_allowed(action: str, safety: Safety) -> bool:
    """Whether the operator allows the action at all."""
    return _is_among(action, safety.allow)


def needs_approval(action: str, safety: Safety, by_request: bool = False) -> bool:
    """Whether a person has to approve it, because whoever asked says so, or because the operator does."""
    return by_request or _is_among(action, safety.approval)


def _is_among(action: str, names: Collection[str]) -> bool:
    return any(fnmatchcase(action, name) for name in names)


def _forbidden(case: Case, safety: Safety) -> Ruling | None:
    if case.mode is Mode.OFF:
        return _refuse(Refusal.SWITCHED_OFF, "remediation is switched off")
    if not is_allowed(case.action, safety):
        return _refuse(Refusal.NOT_ALLOWED, f"RECEIVER_REMEDIATION_ALLOW does not name {case.action}")
    if case.problems:
        return _refuse(Refusal.INVALID, "; ".join(case.problems))
    return None


def _too_late(case: Case, now: datetime) -> Ruling | None:
    if not is_open(case.incident_status) and not case.is_by_person:
        return _refuse(Refusal.INCIDENT_OVER, f"the incident is {case.incident_status} by now")
    if case.expires_at is not None and now >= case.expires_at:
        late = (now - case.expires_at).total_seconds()
        return Ruling(Step.EXPIRE, f"its time was over {late:.0f} s ago", Refusal.EXPIRED)
    return None


def _over_budget(case: Case, safety: Safety) -> Ruling | None:
    if case.runs_on_target >= safety.per_hour:
        whose = f"on {case.target}"
    elif case.runs_of_incident >= safety.per_hour:
        whose = "for this incident"
    else:
        return None
    return _refuse(
        Refusal.BUDGET,
        f"{case.action} has run {safety.per_hour} times {whose} within an hour, which is the limit",
    )


def _left_alone(case: Case, now: datetime) -> Ruling | None:
    delay = case.breaker_delay_seconds
    if delay <= 0:
        return None
    why = f"{case.system} is left alone after failures in a row"
    if case.expires_at is not None and (case.expires_at - now).total_seconds() <= delay:
        return _refuse(Refusal.BREAKER, f"{why}, and the action expires before it may be tried again")
    return Ruling(Step.WAIT, why, delay_seconds=delay)


def _remarks(case: Case, safety: Safety) -> list[str]:
    """What would stand in the way of a dry run if it were none."""
    found = []
    if needs_approval(case.action, safety, case.needs_approval) and not case.is_approved:
        found.append("it would need a person's approval")
    over = _over_budget(case, safety)
    if over is not None:
        found.append(f"it would be refused: {over.reason}")
    return found


def _refuse(refusal: Refusal, reason: str) -> Ruling:
    return Ruling(Step.REFUSE, reason, refusal)


def mitigation_after(mitigation: str, state: ActionState, *, others_under_way: bool) -> Mitigation | None:
    """What the incident's mitigation becomes when one of its actions comes to `state`; None: it stays as it is.

    While others of its actions are under way, a failed one has not failed the mitigation.
    """
    match state:
        case ActionState.RUNNING:
            wanted = Mitigation.MITIGATING
        case ActionState.COMPLETED:
            wanted = Mitigation.SUCCEEDED
        case ActionState.FAILED | ActionState.UNKNOWN | ActionState.REFUSED | ActionState.EXPIRED:
            if others_under_way:
                return None
            wanted = Mitigation.FAILED
        case _:
            return None
    return wanted if mitigation != wanted and may_mitigate(mitigation, wanted) else None

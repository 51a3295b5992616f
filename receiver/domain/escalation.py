"""Escalation policies: whom to call, and after how long, until somebody acknowledges. Pure.

An escalation of an incident goes in rounds. A round runs through the policy's steps, each so long after the round
began, and ends for good when the incident is acknowledged or over. An acknowledgement that times out begins another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from receiver.domain.jobs import JobKind, JobRequest

QUEUE = JobKind.ESCALATE.value
ATTEMPTS = 20  # it calls nobody itself, so only the database can make it fail
# What begins a round: the incident (OPENED), a failed action (its id), an acknowledgement that timed out.
OPENED = "opened"
TIMED_OUT = "timed-out"
EVERYBODY = "all"  # in a step: every channel that is configured


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Whom to tell when nobody has acknowledged `after_seconds` after the round began."""

    after_seconds: float
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """Steps in the order of their times; how long an acknowledgement stands (None: as the settings say)."""

    steps: tuple[EscalationStep, ...]
    acknowledgement_expires_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a policy that is under way, as its jobs carry it.

    The policy goes along, so that a round ends as it began although the rules have changed meanwhile.
    `acknowledgements`: how many the incident had when the round began (None: not begun yet). Any more ends it.
    """

    policy_name: str
    policy: EscalationPolicy
    cause: str = OPENED
    number: int = 1
    rule: str = ""
    acknowledgements: int | None = None
    note: str = ""

    @property
    def key(self) -> str:
        """What names the round among those of its incident."""
        return f"{self.policy_name}:{self.cause}:{self.number}"


def first_job(
    incident_id: str,
    policy_name: str,
    policy: EscalationPolicy,
    round: int,
    trace_id: str,
    *,
    cause: str = "",
    rule: str = "",
    is_new: bool = False,
) -> JobRequest:
    """The job that begins a round; the steps after the first are asked for by the one before.

    `is_new`: the incident opens just now, so nobody can have acknowledged it, and the first step may wait for its time.

    `round` is 1. `cause`: the id of the action whose event asks for it, else nothing: all events of the incident itself
    begin one round together, and each action begins one of its own. The job's key sees to that. `rule`: the name of the
    rule, for people who ask why.
    """
    begun = Round(policy_name, policy, cause or OPENED, round, rule)
    wait = policy.steps[0].after_seconds if policy.steps else 0.0
    if is_new and wait > 0:
        return step_job(incident_id, replace(begun, acknowledgements=0), 0, trace_id, wait)
    return round_job(incident_id, begun, trace_id)


def round_job(incident_id: str, begun: Round, trace_id: str) -> JobRequest:
    """The job that begins `begun` at once: it runs the first step, or asks for it where that comes later."""
    return _request(incident_id, begun, "begin", 0, trace_id, 0.0)


def step_job(
    incident_id: str, under_way: Round, step: int, trace_id: str, delay_seconds: float
) -> JobRequest:
    """The job of one step, counted from 0, due in `delay_seconds`."""
    return _request(incident_id, under_way, str(step), step, trace_id, delay_seconds)


def _request(
    incident_id: str, under_way: Round, name: str, step: int, trace_id: str, delay_seconds: float
) -> JobRequest:
    return JobRequest(
        kind=JobKind.ESCALATE,
        queue=QUEUE,
        idempotency_key=f"{round_keys(incident_id)}{under_way.key}:{name}",
        payload=to_payload(under_way, step),
        incident_id=incident_id,
        trace_id=trace_id,
        max_attempts=ATTEMPTS,
        delay_seconds=delay_seconds,
    )


def expiry_job(incident_id: str, acknowledgement: int, trace_id: str, delay_seconds: float) -> JobRequest:
    """The job that looks after `delay_seconds` whether the n-th acknowledgement (from 0) still stands."""
    return JobRequest(
        kind=JobKind.ESCALATE,
        queue=QUEUE,
        idempotency_key=f"acknowledgement:{incident_id}:{acknowledgement}",
        payload={"acknowledgement": acknowledgement, "stood_seconds": delay_seconds},
        incident_id=incident_id,
        trace_id=trace_id,
        max_attempts=ATTEMPTS,
        delay_seconds=delay_seconds,
    )


def round_keys(incident_id: str) -> str:
    """What the keys of all jobs of an incident's rounds begin with."""
    return f"escalate:{incident_id}:"


def stands_for_seconds(rounds: Mapping[str, EscalationPolicy], otherwise: float | None) -> float | None:
    """How long an acknowledgement stands, given the policies that are under way by name; None: for ever.

    The shortest time of a policy counts, and what the settings say where no policy says anything.
    """
    said = [one.acknowledgement_expires_seconds for one in rounds.values()]
    return min((one for one in said if one is not None), default=otherwise)


def with_channels(policy: EscalationPolicy, configured: Sequence[str]) -> EscalationPolicy:
    """The policy for the `configured` channels, which `all` means; a step that is left with none is left out."""
    steps = []
    for step in policy.steps:
        channels = tuple(configured) if EVERYBODY in step.channels else step.channels
        if channels:
            steps.append(replace(step, channels=channels))
    return replace(policy, steps=tuple(steps))


def to_payload(under_way: Round, step: int) -> dict[str, Any]:
    """The round and its next step, as a job carries them."""
    return {
        "policy": under_way.policy_name,
        "steps": [
            {"after_seconds": one.after_seconds, "channels": list(one.channels)}
            for one in under_way.policy.steps
        ],
        "acknowledgement_expires_seconds": under_way.policy.acknowledgement_expires_seconds,
        "cause": under_way.cause,
        "round": under_way.number,
        "rule": under_way.rule,
        "acknowledgements": under_way.acknowledgements,
        "note": under_way.note,
        "step": step,
    }


def from_payload(payload: Mapping[str, Any]) -> tuple[Round, int]:
    """The round and its next step."""
    steps = tuple(EscalationStep(one["after_seconds"], tuple(one["channels"])) for one in payload["steps"])
    return (
        Round(
            policy_name=payload["policy"],
            policy=EscalationPolicy(steps, payload["acknowledgement_expires_seconds"]),
            cause=payload["cause"],
            number=payload["round"],
            rule=payload["rule"],
            acknowledgements=payload["acknowledgements"],
            note=payload["note"],
        ),
        payload["step"],
    )

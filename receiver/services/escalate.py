"""The `escalate` job: a step of an escalation, or a look at an acknowledgement that may have timed out.

Everything is decided and written under the incident's lock, in the transaction that ends the job: a step is taken once,
however often its job is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from receiver.clock import isoformat
from receiver.domain import escalation
from receiver.domain.announcement import Announcement, job_key
from receiver.domain.announcement_request import Ask
from receiver.domain.escalation import OPENED, TIMED_OUT, EscalationPolicy, Round
from receiver.domain.events import Event, EventType
from receiver.domain.incident import Status
from receiver.domain.jobs import ClaimedJob, JobRequest, Outcome, Verdict
from receiver.domain.notification import Template
from receiver.notifiers.plain_text import duration
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.job_handler import Completion
from receiver.services.subjects import subject_of_row
from receiver.storage import escalations, events, incident_changes, jobs

Row = Mapping[Any, Any]


class EscalateHandler:
    """Takes the steps of escalations and ends acknowledgements that have stood too long."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self, job: ClaimedJob) -> Completion:
        """There is nothing to do outside: channels are told by jobs of their own."""
        write = self._expire if "acknowledgement" in job.payload else self._step
        return Completion(Outcome(Verdict.DONE, "seen to"), lambda connection: write(connection, job))

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Nothing else has to be known: the dead letter says what was not done."""

    def _step(self, connection: Connection, job: ClaimedJob) -> None:
        incident = incident_changes.find_and_lock(connection, job.incident_id)
        if incident is None or incident["status"] != Status.ACTIVE:
            return
        under_way, step = escalation.from_payload(job.payload)
        so_far = escalations.acknowledgements(connection, incident["incident_id"])
        if under_way.acknowledgements is None:
            under_way = replace(under_way, acknowledgements=so_far)
            first = under_way.policy.steps[0].after_seconds if under_way.policy.steps else 0.0
            if first > 0:
                self._ask(connection, job, under_way, 0, first)
                return
        elif under_way.acknowledgements != so_far:
            return  # somebody had it meanwhile; that this one has timed out began another round
        self._take(connection, job, incident, under_way, step)

    def _take(
        self, connection: Connection, job: ClaimedJob, incident: Row, under_way: Round, step: int
    ) -> None:
        steps = under_way.policy.steps
        if step >= len(steps):
            return
        asks = list(_asks(connection, incident, under_way, step))
        self._request(connection, job, incident, asks, f"escalation {under_way.policy_name}")
        if step + 1 < len(steps):
            delay = steps[step + 1].after_seconds - steps[step].after_seconds
            self._ask(connection, job, under_way, step + 1, delay)

    def _ask(
        self, connection: Connection, job: ClaimedJob, under_way: Round, step: int, delay_seconds: float
    ) -> None:
        assert job.incident_id is not None
        following = escalation.step_job(job.incident_id, under_way, step, job.trace_id, delay_seconds)
        jobs.insert_once(connection, [following])

    def _request(
        self, connection: Connection, job: ClaimedJob, incident: Row, asks: list[Ask], actor: str
    ) -> None:
        """Have messages sent, each told by an event."""
        at, incident_id = self._runtime.clock(), incident["incident_id"]
        told = [
            Event(
                type=EventType.NOTIFICATION_REQUESTED,
                created_at=at,
                actor=actor,
                trace_id=job.trace_id,
                incident_id=incident_id,
                payload=ask.to_payload(),
            )
            for ask in asks
        ]
        events.insert_many(connection, told)
        jobs.insert_many(connection, [ask.request(incident_id, job.trace_id) for ask in asks])

    def _expire(self, connection: Connection, job: ClaimedJob) -> None:
        """Make the incident active again if this very acknowledgement still stands, and begin other rounds."""
        incident = incident_changes.find_and_lock(connection, job.incident_id)
        if incident is None or incident["status"] != Status.ACKNOWLEDGED:
            return
        incident_id, number = incident["incident_id"], job.payload["acknowledgement"]
        if escalations.acknowledgements(connection, incident_id) != number + 1:
            return
        made = escalations.last_acknowledgement(connection, incident_id)
        note = made.note if made else ""
        by = incident["acknowledged_by"] or "somebody"
        reason = f"the acknowledgement by {by} timed out after {_span(job.payload['stood_seconds'])}"
        values = {"status": Status.ACTIVE.value, "acknowledged_at": None, "acknowledged_by": None}
        incident_changes.change(connection, incident_id, values)
        payload = {
            "status": [Status.ACKNOWLEDGED.value, Status.ACTIVE.value],
            "reason": reason,
            "acknowledged_by": by,
            "acknowledged_at": isoformat(incident["acknowledged_at"]),
            "owner": incident["owner"],
            **({"note": note} if note else {}),
        }
        happened = Event(
            type=EventType.INCIDENT_UPDATED,
            created_at=self._runtime.clock(),
            actor="worker",
            trace_id=job.trace_id,
            incident_id=incident_id,
            payload=payload,
        )
        row = {**incident, **values}
        tell(connection, self._runtime, [happened], lambda event: subject_of_row(event, row))
        said = f"{reason}; their note was: {note}" if note else reason
        self._resume(connection, job, row, number, f"{said[:1].upper()}{said[1:]}.")

    def _resume(self, connection: Connection, job: ClaimedJob, incident: Row, number: int, note: str) -> None:
        """Another round of each policy that was under way; where there was none, tell those who know of it."""
        incident_id = incident["incident_id"]
        policies = policies_under_way(connection, incident_id)
        if not policies:
            told = escalations.channels_told(connection, incident_id)
            cause = f"{TIMED_OUT}:{number}"
            calls = (_call(connection, incident_id, one, "", cause, (note,)) for one in told)
            self._request(
                connection, job, incident, [one for one in calls if one and self._wants(one)], "worker"
            )
            return
        begun: list[JobRequest] = []
        rules = self._runtime.rules
        for name, policy in policies.items():
            if name in rules.escalations:  # else it goes on as it was, rather than to stop calling people
                policy = escalation.with_channels(rules.escalations[name], list(self._runtime.audience))
            another = Round(
                name,
                policy,
                TIMED_OUT,
                number + 2,  # the first round was before the first acknowledgement
                acknowledgements=None,
                note=note,
            )
            begun.append(escalation.round_job(incident_id, another, job.trace_id))
        jobs.insert_once(connection, begun)

    def _wants(self, ask: Ask) -> bool:
        notifier = self._runtime.notifiers.get(ask.announcement.channel)
        return notifier is not None and ask.announcement.template in notifier.templates


def policies_under_way(connection: Connection, incident_id: str) -> dict[str, EscalationPolicy]:
    """The policies of which the incident had a round, by name, each as its newest round has it."""
    found = (escalation.from_payload(payload)[0] for payload in escalations.rounds(connection, incident_id))
    return {one.policy_name: one.policy for one in found}


def _asks(connection: Connection, incident: Row, under_way: Round, step: int) -> Iterator[Ask]:
    """The messages of a step. Whoever is called first when the incident opens is told that it has opened, once."""
    incident_id = incident["incident_id"]
    is_first = step == 0 and under_way.cause == OPENED and under_way.policy.steps[0].after_seconds == 0
    for channel in under_way.policy.steps[step].channels:
        if is_first:
            opened = Announcement(channel, Template.OPENED)
            if not jobs.existing(connection, [job_key(incident_id, opened)]):
                yield Ask(opened, rule=_asker(under_way), cause=f"{under_way.key}:{step}")
            continue
        details = tuple(_details(under_way, step))
        call = _call(connection, incident_id, channel, _asker(under_way), f"{under_way.key}:{step}", details)
        if call is not None:
            yield call


def _call(
    connection: Connection, incident_id: str, channel: str, rule: str, cause: str, details: tuple[str, ...]
) -> Ask | None:
    """The next call of the incident on the channel; None if the same cause has asked for one."""
    asked = escalations.asked(connection, incident_id, channel)
    if cause in asked.values():
        return None
    announcement = Announcement(channel, Template.ESCALATED, max(asked, default=-1) + 1)
    return Ask(announcement, rule=rule, details=details, cause=cause)


def _asker(under_way: Round) -> str:
    policy = f"escalation {under_way.policy_name}"
    return f"{under_way.rule} ({policy})" if under_way.rule else policy


def _details(under_way: Round, step: int) -> Iterator[str]:
    steps = under_way.policy.steps
    after = steps[step].after_seconds
    if under_way.note:
        yield under_way.note
    elif under_way.cause != OPENED:
        yield "An action against it has failed."
    if after > 0:
        yield f"Nobody has acknowledged it for {_span(after)}."
    yield f"Step {step + 1} of {len(steps)} of the escalation {under_way.policy_name}."


def _span(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))

"""Writes events, and what the rules ask for because of them: more events, actions and jobs, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import Connection

from receiver.domain.announcement import Announcement
from receiver.domain.announcement_request import Ask, sequence_of
from receiver.domain.diagnosis import diagnose_job
from receiver.domain.escalation import EscalationPolicy, first_job, with_channels
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import JobRequest
from receiver.domain.notification import Template
from receiver.domain.rules.effects import (
    DiagnoseEffect,
    Effect,
    EscalateEffect,
    NotifyEffect,
    ResolveEffect,
    RunEffect,
)
from receiver.domain.rules.evaluate import effects, is_news
from receiver.domain.rules.lineage import cause_of, rules_behind
from receiver.domain.rules.model import RuleSet
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services.remediation.request import ActionWish, request_actions
from receiver.services.resolution import resolve_incident
from receiver.services.subjects import SubjectOf
from receiver.storage import action_origins, escalations, events, incident_changes, jobs

_log = event_logger("effects")
_policy_for = lru_cache(256)(with_channels)

ACTOR = "rules"
# Rounds of consequences in one transaction: an action that is refused at once may make a rule ask for another. A rule
# never follows from itself (domain/rules/lineage.py), so only files that chain more refusals than this meet the limit.
MOST_ROUNDS = 8
FIRST_ROUND = 1
# What these ask for cannot have been asked for before: they come once in the life of an incident.
_ONCE = frozenset({EventType.INCIDENT_OPENED, EventType.INCIDENT_RESOLVED})
# What ends an escalation, and the message that says so.
_ANSWERS: Mapping[EventType, Template] = {
    EventType.INCIDENT_ACKNOWLEDGED: Template.ACKNOWLEDGED,
    EventType.INCIDENT_RESOLVED: Template.RESOLVED,
}


def tell(connection: Connection, runtime: Runtime, told: Sequence[Event], subject_of: SubjectOf) -> None:
    """Write `told`, and what each event brings about, and what that brings about. The incidents' locks must be held.

    Callable from any transaction that changes incidents. `subject_of` is asked for the events that follow, too.
    """
    teller = _Teller(connection, runtime, runtime.rules, subject_of)
    for _ in range(MOST_ROUNDS):
        told = teller.tell(told)
        if not told:
            return
    events.insert_many(connection, told)
    _log.warning("rules.chain_cut", extra={"incident_id": told[0].incident_id, "rounds": MOST_ROUNDS})


@dataclass(slots=True)
class _Consequences:
    """What follows from one round of events. `asked`: jobs by their keys, with the event that tells of each, if any.

    `doubtful`: keys of jobs that may exist already.
    """

    written: list[Event] = field(default_factory=list)
    asked: dict[str, tuple[JobRequest, Event | None]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    wishes: list[ActionWish] = field(default_factory=list)
    endings: list[tuple[Event, str]] = field(default_factory=list)

    def ask(self, cause: Event, job: JobRequest, telling: Event | None = None) -> None:
        """Ask for a job, unless that has been done in this round."""
        if job.idempotency_key in self.asked:
            return
        self.asked[job.idempotency_key] = job, telling
        if cause.type not in _ONCE:
            self.doubtful.add(job.idempotency_key)
        if telling is not None:
            self.written.append(telling)

    def forget(self, known: set[str]) -> None:
        """Leave out the jobs of these keys, which exist already."""
        for key in known:
            _, telling = self.asked.pop(key)
            if telling is not None:
                self.written = [event for event in self.written if event is not telling]


@dataclass(frozen=True, slots=True)
class _Teller:
    connection: Connection
    runtime: Runtime
    rules: RuleSet
    subject_of: SubjectOf

    def tell(self, told: Sequence[Event]) -> Sequence[Event]:
        """Write one round of events and what they ask for; returns the events that follow, not written yet."""
        found = _Consequences()
        for event in told:
            found.written.append(event)
            asked = self._effects(event)
            for effect in (*asked, *self._owed(event, asked)):
                self._note(found, event, effect)
        if found.doubtful:
            found.forget(jobs.existing(self.connection, found.doubtful))
        events.insert_many(self.connection, found.written)
        following, requests = self._request(found.wishes)
        requests += [job for job, _ in found.asked.values()]
        if requests:
            jobs.insert_many(self.connection, requests)
        return [*following, *self._end(found.endings)]

    def _effects(self, event: Event) -> Sequence[Effect]:
        if not self.rules.reacts_to(event.type) or event.incident_id is None or not is_news(event):
            return ()
        asked = effects(self.rules, event.type, self.subject_of(event), self.runtime.audience)
        if event.action_id is None or not any(isinstance(effect, RunEffect) for effect in asked):
            return asked
        origins = action_origins.origins(self.connection, event.incident_id)
        behind = rules_behind(origins, event.action_id)
        return [one for one in asked if not (isinstance(one, RunEffect) and one.rule in behind)]

    def _owed(self, event: Event, asked: Sequence[Effect]) -> list[NotifyEffect]:
        """Whoever was called hears that somebody has it, and that it is over, also where no rule says so."""
        if event.type not in _ANSWERS or event.incident_id is None or not self.rules.escalations:
            return []
        told = {effect.channel for effect in asked if isinstance(effect, NotifyEffect)}
        template, audience = _ANSWERS[event.type], {**self.runtime.audience, **self.rules.wanted}
        missing = {one for one, wanted in audience.items() if one not in told and template in wanted}
        if not missing:
            return []
        called = escalations.channels_called(self.connection, event.incident_id)
        return [NotifyEffect(one, template, "escalation") for one in called if one in missing]

    def _note(self, found: _Consequences, event: Event, effect: Effect) -> None:
        incident_id = event.incident_id or ""
        match effect:
            case NotifyEffect():
                ask = _ask(event, effect)
                found.ask(event, ask.request(incident_id, event.trace_id), _requested(event, ask))
            case DiagnoseEffect():
                cause = cause_of(event)
                found.ask(
                    event, diagnose_job(incident_id, effect.diagnosis, effect.rule, cause, event.trace_id)
                )
            case EscalateEffect():
                policy = _policy_for(self.rules.escalations[effect.policy], tuple(self.runtime.audience))
                found.ask(event, _escalate(event, effect, policy))
            case RunEffect():
                found.wishes.append(self._wish(event, effect))
            case ResolveEffect():
                # A plan that was only told has mended nothing.
                if not event.payload.get("is_dry_run"):
                    found.endings.append((event, effect.rule))

    def _wish(self, event: Event, effect: RunEffect) -> ActionWish:
        return ActionWish(
            incident_id=event.incident_id or "",
            spec=effect.spec,
            subject=self.subject_of(event),
            rule=effect.rule,
            cause=cause_of(event),
            requested_by=f"rule {effect.rule}",
            at=event.created_at,
            trace_id=event.trace_id,
        )

    def _request(self, wishes: Sequence[ActionWish]) -> tuple[list[Event], list[JobRequest]]:
        if not wishes:
            return [], []
        return request_actions(self.connection, self.runtime, wishes)

    def _end(self, endings: Sequence[tuple[Event, str]]) -> list[Event]:
        ended = []
        for event, rule in endings:
            incident_id = event.incident_id or ""
            row = incident_changes.lock(self.connection, incident_id, incident_id.rpartition("-")[2])
            payload = {"reason": f"rule {rule} on {event.type.value}", "rule": rule}
            resolved = resolve_incident(
                self.connection,
                row,
                actor=f"rule {rule}",
                at=event.created_at,
                trace_id=event.trace_id,
                payload=payload,
            )
            if resolved is not None:
                ended.append(resolved)
        return ended


def _ask(event: Event, effect: NotifyEffect) -> Ask:
    return Ask(
        Announcement(effect.channel, effect.template, _sequence(event)),
        rule=effect.rule,
        wording=effect.wording,
        is_quiet=effect.is_quiet,
        action_id=event.action_id or "",
        details=_details(event.payload) if event.type is EventType.NOTIFICATION_FAILED else (),
    )


def _sequence(event: Event) -> int:
    if event.type is EventType.NOTIFICATION_FAILED:  # the same message, on another channel
        return int(event.payload.get("sequence", 0))
    return sequence_of(event)


def _details(payload: Mapping[str, object]) -> tuple[str, ...]:
    return (f"{payload.get('channel')} could not be told: {payload.get('reason') or 'it was given up'}",)


def _escalate(event: Event, effect: EscalateEffect, policy: EscalationPolicy) -> JobRequest:
    return first_job(
        event.incident_id or "",
        effect.policy,
        policy,
        FIRST_ROUND,
        event.trace_id,
        cause=event.action_id or "",
        rule=effect.rule,
        is_new=event.type is EventType.INCIDENT_OPENED,
    )


def _requested(event: Event, ask: Ask) -> Event:
    return Event(
        type=EventType.NOTIFICATION_REQUESTED,
        created_at=event.created_at,
        actor=ACTOR,
        trace_id=event.trace_id,
        incident_id=event.incident_id,
        action_id=event.action_id,
        payload=ask.to_payload(),
    )

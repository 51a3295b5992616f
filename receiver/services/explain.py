"""Why a channel heard of an incident what it heard, and why it did not hear the rest. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from receiver.domain.announcement_request import Ask
from receiver.domain.channel_pace import Pace
from receiver.domain.escalation import OPENED, Round, from_payload
from receiver.domain.events import Event, EventType
from receiver.domain.explanation import fortune, pace_sentence, rule_sentence
from receiver.domain.incident import is_open
from receiver.domain.jobs import JobState
from receiver.domain.notification import Template
from receiver.domain.rules.effects import EVENTS, template_for
from receiver.domain.rules.evaluate import Fate, Trace, everybody, is_news, trace
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import Rule
from receiver.runtime import Runtime
from receiver.services.incident_list import asking, known
from receiver.services.subjects import subject_of_row
from receiver.storage import channel_pace, database_clock, explanation

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class _Scene:
    """An event of the incident, and the fate of each rule that is for it, by the rules of now."""

    event: Event
    subject: Subject
    traces: Sequence[Trace]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the database knows."""

    incident: Row
    jobs: Sequence[Row]
    records: Mapping[tuple[str, str, int], Row]
    bundles: Mapping[str, Row]
    escalations: Sequence[Row]
    events: Sequence[Event]
    paces: Mapping[str, Pace]
    now: datetime


def explain(runtime: Runtime, reference: str) -> dict[str, Any]:
    """Each message of the incident with who asked for it and what became of it; the silence of the other channels.

    Rules are those that are in force now. Raises UnknownIncident, StorageUnavailable.
    """
    with asking(runtime.engine) as connection:
        facts = _read(connection, runtime, reference)
    scenes = [_scene(runtime, event, facts.incident) for event in facts.events if is_news(event)]
    asked = {job["payload"].get("channel") for job in facts.jobs}
    return {
        **{name: facts.incident[name] for name in ("incident_id", "number", "status", "mitigation")},
        "notifications": [_message(runtime, facts, job) for job in facts.jobs],
        "silent_channels": [
            _silence(runtime, facts, channel, scenes)
            for channel in _channels(runtime)
            if channel not in asked
        ],
        "escalations": [_step(facts, job) for job in facts.escalations],
        "rules": [
            {
                "event": scene.event.type.value,
                "at": scene.event.created_at,
                "rule": one.rule.name,
                "applies": one.fate is Fate.APPLIES,
                "sentence": rule_sentence(one, scene.subject, tells=one.rule.notice is not None),
            }
            for scene in scenes
            for one in scene.traces
        ],
    }


def _channels(runtime: Runtime) -> list[str]:
    return sorted({*runtime.audience, *runtime.rules.wanted})


def _read(connection: Connection, runtime: Runtime, reference: str) -> _Facts:
    incident = known(connection, reference)
    incident_id = incident["incident_id"]
    found = explanation.records(connection, incident_id)
    records = {(one["channel"], str(one["template"]), one["sequence"]): one for one in found}
    told = explanation.events_of(connection, incident_id, EVENTS.keys() - {EventType.ALERT_RAISED.value})
    return _Facts(
        incident=incident,
        jobs=explanation.message_jobs(connection, incident_id),
        records=records,
        bundles=explanation.jobs_named(
            connection, [one["provider_ref"] for one in found if one["provider_ref"]]
        ),
        escalations=explanation.escalation_jobs(connection, incident_id),
        events=[_event(row) for row in told],
        paces=channel_pace.read(connection, _channels(runtime)),
        now=database_clock.now(connection),
    )


def _event(row: Row) -> Event:
    names = ("created_at", "actor", "trace_id", "incident_id", "alert_id", "action_id", "payload")
    return Event(type=EventType(row["type"]), **{name: row[name] for name in names})


def _scene(runtime: Runtime, event: Event, incident: Row) -> _Scene:
    subject = subject_of_row(event, incident)
    return _Scene(event, subject, trace(runtime.rules, event.type, subject))


def _message(runtime: Runtime, facts: _Facts, job: Row) -> dict[str, Any]:
    ask = Ask.from_payload(job["payload"])
    one = ask.announcement
    record = facts.records.get((one.channel, one.template.value, one.sequence))
    reference = record["provider_ref"] if record else None
    bundle = facts.bundles.get(reference) if reference else None
    became = fortune(job, record, bundle, facts.now, is_over=not is_open(facts.incident["status"]))
    sends = bundle if bundle is not None else job
    notifier = runtime.notifiers.get(one.channel)
    is_limited = notifier is not None and Template.BUNDLE in notifier.templates
    limit = runtime.settings.notify_per_minute
    return {
        "channel": one.channel,
        "template": one.template.value,
        "sequence": one.sequence,
        "rule": ask.rule or None,
        "quiet": ask.is_quiet,
        "outcome": became.outcome,
        "sentence": became.sentence,
        "asked_at": job["created_at"],
        "finished_at": record["finished_at"] if record else None,
        "idempotency_key": job["idempotency_key"],
        "bundle": bundle["idempotency_key"] if bundle else None,
        "job_id": sends["job_id"],
        "job_state": sends["state"],
        "attempts": sends["attempt"],
        "max_attempts": sends["max_attempts"],
        "last_error": sends["last_error"],
        "answer": (record["detail"] or None) if record else None,
        "next_attempt_at": sends["run_at"] if sends["state"] == JobState.READY else None,
        "limit": pace_sentence(facts.paces.get(one.channel), limit, facts.now) if is_limited else "No limit.",
    }


def _step(facts: _Facts, job: Row) -> dict[str, Any]:
    under_way, step = from_payload(job["payload"])
    steps = under_way.policy.steps
    is_due = job["state"] == JobState.READY
    channels = steps[step].channels if step < len(steps) else ()
    at = job["run_at"] if is_due else job["finished_at"] or job["run_at"]
    return {
        "policy": under_way.policy_name,
        "rule": under_way.rule or None,
        "cause": under_way.cause,
        "round": under_way.number,
        "step": step + 1,
        "steps": len(steps),
        "job_id": job["job_id"],
        "job_state": job["state"],
        "at": at,
        "sentence": f"Step {step + 1} of {len(steps)}, which tells {', '.join(channels) or 'nobody'}"
        f" unless somebody acknowledges, {_became(facts, job, under_way, step)}.",
    }


def _became(facts: _Facts, job: Row, under_way: Round, step: int) -> str:
    """Whom the step told, or why nobody."""
    match JobState(job["state"]):
        case JobState.READY:
            return "is due"
        case JobState.RUNNING:
            return "is under way"
        case JobState.DEAD:
            return f"was given up: {job['last_error'] or 'for a reason that is not known'}"
    asks = [Ask.from_payload(one["payload"]) for one in facts.jobs]
    told = [ask.announcement.channel for ask in asks if ask.cause == f"{under_way.key}:{step}"]
    if told:
        return f"asked for messages to {', '.join(told)}"
    steps = under_way.policy.steps
    if job["idempotency_key"].endswith(":begin") and steps and steps[0].after_seconds > 0:
        return "was put off until its time"
    if step == 0 and under_way.cause == OPENED and steps and steps[0].after_seconds == 0:
        opened = {ask.announcement.channel for ask in asks if ask.announcement.template is Template.OPENED}
        if opened.issuperset(steps[0].channels):
            return "told nobody: a rule had told of the opening already"
    return f"told nobody: {_stopped(facts, job['finished_at'])}"


def _stopped(facts: _Facts, at: datetime | None) -> str:
    """What had ended the escalation by then."""
    ends = {EventType.INCIDENT_ACKNOWLEDGED: "acknowledged", EventType.INCIDENT_RESOLVED: "resolved"}
    before = [one for one in facts.events if one.type in ends and (at is None or one.created_at <= at)]
    if not before:  # the hosts' clocks differ, or retention has removed the event
        return "the incident had been acknowledged, or was over"
    last = before[-1]
    return f"the incident had been {ends[last.type]} by {last.actor}"


def _silence(runtime: Runtime, facts: _Facts, channel: str, scenes: Sequence[_Scene]) -> dict[str, Any]:
    reasons = list(dict.fromkeys(_reasons(runtime, channel, scenes)))
    policy = _escalation_to(facts, channel)
    if policy:
        return {
            "channel": channel,
            "sentence": f"The escalation {policy} names {channel}, but has not come to tell it.",
            "reasons": [{"event": event, "rule": rule, "sentence": said} for event, rule, said in reasons],
        }
    if not reasons:
        happened = ", ".join(dict.fromkeys(scene.event.type.value for scene in scenes)) or "nothing"
        return {
            "channel": channel,
            "sentence": f"No rule tells {channel} of what has happened to the incident ({happened}).",
            "reasons": [],
        }
    return {
        "channel": channel,
        "sentence": f"Rules name {channel}, but none of them has asked for a message.",
        "reasons": [{"event": event, "rule": rule, "sentence": said} for event, rule, said in reasons],
    }


def _escalation_to(facts: _Facts, channel: str) -> str:
    """The name of a policy under way, or ended, that has the channel in one of its steps; else empty."""
    rounds = (from_payload(job["payload"])[0] for job in facts.escalations)
    named = (one for one in rounds if any(channel in step.channels for step in one.policy.steps))
    return next((one.policy_name for one in named), "")


def _reasons(runtime: Runtime, channel: str, scenes: Sequence[_Scene]) -> Iterator[tuple[str, str, str]]:
    """Event, rule and sentence for every rule that names the channel."""
    for scene in scenes:
        for one in scene.traces:
            if _names(runtime, one.rule, channel, scene.subject):
                said = _why(runtime, channel, scene, one)
                yield scene.event.type.value, one.rule.name, said


def _why(runtime: Runtime, channel: str, scene: _Scene, one: Trace) -> str:
    if one.fate is not Fate.APPLIES:
        return rule_sentence(one, scene.subject)
    template = template_for(scene.event.type, scene.subject)
    wanted = runtime.audience.get(channel) or runtime.rules.wanted_by(channel) or ()
    if template is None or template not in wanted:
        return f"It applies, but {channel} has no use for such a message."
    return (
        "It applies by the rules of now: when this happened they, or the incident, must have been different."
    )


def _names(runtime: Runtime, rule: Rule, channel: str, subject: Subject) -> bool:
    if rule.notice is None:
        return False
    return channel in (rule.notice.channels or everybody(runtime.audience, subject))

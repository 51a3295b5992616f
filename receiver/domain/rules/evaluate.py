"""What the rules say to an alert or an incident: effects, each with the name of its rule. Pure.

The first rule that applies decides, unless it says `continue: true`: as with the routes of Alertmanager.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from receiver.domain.alert import Alert
from receiver.domain.channel import PAGING, PAGING_PRIORITIES
from receiver.domain.escalation import EscalationPolicy
from receiver.domain.events import Event, EventType
from receiver.domain.rules.effects import (
    EVENTS,
    RESCUED,
    DiagnoseEffect,
    Effect,
    EscalateEffect,
    NotifyEffect,
    ResolveEffect,
    RunEffect,
    template_for,
)
from receiver.domain.rules.known import ALL_CHANNELS
from receiver.domain.rules.matcher import Matcher, Subject
from receiver.domain.rules.model import Audience, Rule, RuleSet
from receiver.domain.rules.subject import subject_of_alert
from receiver.domain.triage import Triage

_WORSE = frozenset({"severity", "priority"})
_NEWS = frozenset(EVENTS.values()) - {EventType.ALERT_RAISED}  # triage looks at raised alerts


class Fate(StrEnum):
    """What became of one rule when all were looked at in turn."""

    APPLIES = "applies"
    FAILS = "does not apply"
    UNREACHED = "not looked at"


@dataclass(frozen=True, slots=True)
class Trace:
    """The fate of a rule; for FAILS the condition that failed, for UNREACHED the rule that ended the search."""

    rule: Rule
    fate: Fate
    failed: Matcher | None = None
    ended_by: str = ""


def triage(rules: RuleSet, alert: Alert, source: str) -> Triage:
    """Whether a firing alert may open or join an incident, and with which priority."""
    if alert.priority in rules.priorities and not rules.reacts_to(EventType.ALERT_RAISED):
        return Triage(priority=alert.priority)  # what most files say of every alert of a storm
    subject = subject_of_alert(alert, source)
    priority, named = alert.priority, ""
    for rule in _in_turn(rules, subject):
        if rule.ignore:
            return Triage(is_ignored=True, reason=f"rule {rule.name}", rule=rule.name)
        if rule.priority is not None:
            priority, named = rule.priority, rule.name
    if priority not in rules.priorities:
        allowed = ", ".join(sorted(rules.priorities))
        return Triage(is_ignored=True, reason=f"incidents.priorities: {priority} is not among {allowed}")
    if not named:
        return Triage(priority=priority)
    return Triage(priority=priority, reason=f"rule {named}", rule=named)


def _in_turn(rules: RuleSet, subject: Subject) -> Iterator[Rule]:
    """The rules that apply to a raised alert; each sees the priority that those above it gave."""
    for rule in rules.applying(EventType.ALERT_RAISED, subject):
        yield rule
        if rule.priority is not None:
            subject.fields["priority"] = rule.priority


def is_news(event: Event) -> bool:
    """Whether rules are asked about an event at all.

    An update counts if the incident got worse, not for a note; a request for an action if a person has to allow it; a
    failed message if it is worth telling elsewhere.
    """
    match event.type:
        case EventType.INCIDENT_UPDATED:
            return not _WORSE.isdisjoint(event.payload.get("changes", {}))
        case EventType.ACTION_REQUESTED:
            return bool(event.payload.get("needs_approval"))
        case EventType.NOTIFICATION_FAILED:
            return event.payload.get("template") in RESCUED
    return event.type in _NEWS


def effects(rules: RuleSet, event: EventType, subject: Subject, audience: Audience) -> list[Effect]:
    """What follows from an event of an incident, in the order of the rules.

    A channel is told once, for the first rule that names it; so is a diagnosis made, and a policy followed. A channel
    that has no use for the event's message is left out, and an escalation that would call nobody; a channel that is not
    configured is not.
    """
    asked: dict[tuple[str, str], Effect] = {}
    for rule in rules.applying(event, subject):
        for one in _asked(rules, rule, event, subject, audience):
            asked.setdefault(_what(one), one)
    return list(asked.values())


def _asked(
    rules: RuleSet, rule: Rule, event: EventType, subject: Subject, audience: Audience
) -> Iterator[Effect]:
    notice = rule.notice
    template = template_for(event, subject) if notice else None
    if notice is not None and template is not None:
        for channel in notice.channels or everybody(audience, subject):
            wanted = audience.get(channel) or rules.wanted_by(channel)
            if wanted is None or template in wanted:
                yield NotifyEffect(channel, template, rule.name, notice.wording, notice.is_quiet)
    if rule.diagnosis:
        yield DiagnoseEffect(rule.name, rule.diagnosis)
    if rule.run is not None:
        yield RunEffect(rule.name, rule.run)
    if rule.policy and _calls_anybody(rules.escalations[rule.policy], audience):
        yield EscalateEffect(rule.name, rule.policy)
    if rule.resolves:
        yield ResolveEffect(rule.name)


def everybody(audience: Audience, subject: Subject) -> list[str]:
    """The channels that `all` means for an incident: those that wake people up only if it is urgent."""
    is_urgent = subject.fields.get("priority") in PAGING_PRIORITIES
    return [channel for channel in audience if is_urgent or channel not in PAGING]


def _calls_anybody(policy: EscalationPolicy, audience: Audience) -> bool:
    """Whether a policy has any step that is more than `all` where no channel is configured."""
    return any(audience or step.channels != (ALL_CHANNELS,) for step in policy.steps)


def _what(effect: Effect) -> tuple[str, str]:
    """What can be had once only."""
    match effect:
        case NotifyEffect():
            return "notify", effect.channel
        case DiagnoseEffect():
            return "diagnose", effect.diagnosis
        case EscalateEffect():
            return "escalate", effect.policy
        case RunEffect():
            return "run", effect.rule
        case ResolveEffect():
            return "resolve", ""


def trace(rules: RuleSet, event: EventType, subject: Subject) -> list[Trace]:
    """The fate of each rule for the event, in order: for people who ask why."""
    fields = dict(subject.fields)
    seen = Subject(fields, subject.labels)
    traces: list[Trace] = []
    ended_by = ""
    for rule in rules.on(event):
        if ended_by:
            traces.append(Trace(rule, Fate.UNREACHED, ended_by=ended_by))
            continue
        failed = rule.first_failing(seen)
        if failed is not None:
            traces.append(Trace(rule, Fate.FAILS, failed))
            continue
        traces.append(Trace(rule, Fate.APPLIES))
        if rule.priority is not None:
            fields["priority"] = rule.priority
        if not rule.proceed:
            ended_by = rule.name
    return traces

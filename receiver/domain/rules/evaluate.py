"""What the rules say to an alert or an incident: effects, each with the name of its rule. Pure.

The first rule that applies decides, unless it says `continue: true`: as with the routes of Alertmanager.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from receiver.domain.alert import Alert
from receiver.domain.events import Event, EventType
from receiver.domain.notification import Template
from receiver.domain.rules.effects import TEMPLATE_OF
from receiver.domain.rules.matcher import Matcher, Subject
from receiver.domain.rules.model import Audience, Rule, RuleSet
from receiver.domain.rules.subject import subject_of_alert
from receiver.domain.triage import Triage

_WORSE = frozenset({"severity", "priority"})


@dataclass(frozen=True, slots=True)
class NotifyEffect:
    """Tell `channel` with `template`, because the rule `rule` says so."""

    channel: str
    template: Template
    rule: str


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
    """Whether rules are asked about an event at all: an update counts if the incident got worse, not for a note."""
    if event.type is EventType.INCIDENT_UPDATED:
        return not _WORSE.isdisjoint(event.payload.get("changes", {}))
    return event.type in TEMPLATE_OF


def notifications(
    rules: RuleSet, event: EventType, subject: Subject, audience: Audience
) -> list[NotifyEffect]:
    """Whom to tell of an event of an incident. A channel is told once, for the first rule that names it.

    A channel that has no use for the event's message is left out; one that is not configured is not.
    """
    template = TEMPLATE_OF.get(event)
    if template is None:
        return []
    told: dict[str, NotifyEffect] = {}
    for rule in rules.applying(event, subject):
        if rule.channels is None:
            continue
        for channel in rule.channels or audience:
            if template in audience.get(channel, (template,)):
                told.setdefault(channel, NotifyEffect(channel, template, rule.name))
    return list(told.values())


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

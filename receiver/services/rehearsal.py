"""`receiver rules test`: what a set of rules would make of a body, and why, without any database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from receiver.domain.alert import Alert, ParsedBody
from receiver.domain.events import EventType
from receiver.domain.incident import Status
from receiver.domain.rules.effects import TEMPLATE_OF
from receiver.domain.rules.evaluate import NotifyEffect, Trace, notifications, trace, triage
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import Audience, RuleSet
from receiver.domain.rules.subject import subject_of_alert, subject_of_incident
from receiver.domain.triage import Triage


@dataclass(frozen=True, slots=True)
class Scene:
    """One event: what the rules looked at, the fate of each rule, and whom they tell."""

    event: EventType
    subject: Subject
    traces: Sequence[Trace]
    effects: Sequence[NotifyEffect] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One alert: what is said to it, and what follows if it opens an incident (no scenes if it cannot)."""

    alert: Alert
    verdict: Triage
    raised: Scene
    scenes: Sequence[Scene]


def rehearse(rules: RuleSet, parsed: ParsedBody, audience: Audience) -> Iterator[Rehearsal]:
    """Each alert of the body that is understood, by itself: as if none had come before it."""
    for alert in parsed.alerts:
        if isinstance(alert, Alert):
            yield _one(rules, alert, parsed.source, audience)


def _one(rules: RuleSet, alert: Alert, source: str, audience: Audience) -> Rehearsal:
    subject = subject_of_alert(alert, source)
    verdict = triage(rules, alert, source)
    raised = Scene(EventType.ALERT_RAISED, subject, trace(rules, EventType.ALERT_RAISED, subject))
    if verdict.is_ignored or alert.is_test:
        return Rehearsal(alert, verdict, raised, ())
    following = (event for event in TEMPLATE_OF if rules.reacts_to(event))
    priority = verdict.priority or alert.priority
    return Rehearsal(
        alert, verdict, raised, [_scene(rules, event, alert, priority, audience) for event in following]
    )


def _scene(rules: RuleSet, event: EventType, alert: Alert, priority: str, audience: Audience) -> Scene:
    subject = subject_of_incident(
        event,
        status=Status.ACTIVE.value,
        severity=alert.severity,
        priority=priority,
        details=subject_of_alert(alert, "").fields,
        labels=alert.labels,
    )
    return Scene(event, subject, trace(rules, event, subject), notifications(rules, event, subject, audience))

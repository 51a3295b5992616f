"""`receiver rules test`: what a set of rules would make of a body, and why, without any database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.domain.action import Order
from receiver.domain.alert import Alert, ParsedBody
from receiver.domain.events import EventType
from receiver.domain.incident import Mitigation, Status
from receiver.domain.rules.effects import DiagnoseEffect, Effect, RunEffect
from receiver.domain.rules.evaluate import Trace, effects, trace, triage
from receiver.domain.rules.fields import INCIDENT_EVENTS
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import Audience, RuleSet
from receiver.domain.rules.render import view_of
from receiver.domain.rules.run_spec import RunSpec
from receiver.domain.rules.subject import subject_of_alert, subject_of_incident
from receiver.domain.triage import Triage
from receiver.errors import RenderFailed
from receiver.remediation.base import Action
from receiver.remediation.registry import CATALOGUE

# Each scene may bring on others, of actions that fail in turn.
MOST_SCENES = 50
_MITIGATION_AT: Mapping[EventType, str] = {
    EventType.ACTION_COMPLETED: Mitigation.SUCCEEDED.value,
    EventType.ACTION_FAILED: Mitigation.FAILED.value,
    EventType.DIAGNOSTICS_COMPLETED: Mitigation.INVESTIGATING.value,
}
_NO_ACTIONS: Mapping[str, Action] = {}
_NOT_YET = "INC-20260101000000-0000000000000000"  # the id that the incident would get


@dataclass(frozen=True, slots=True)
class Ordered:
    """An action as a rule would ask for it, on `target`; or why it would be rejected at once."""

    spec: RunSpec
    target: str = ""
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One event: what the rules looked at, the fate of each rule, and what follows. `because`: what it answers."""

    event: EventType
    subject: Subject
    traces: Sequence[Trace]
    effects: Sequence[Effect] = ()
    ordered: Mapping[str, Ordered] = field(default_factory=dict)  # by the rule's name
    because: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One alert: what is said to it, and what follows if it opens an incident (no scenes if it cannot)."""

    alert: Alert
    verdict: Triage
    raised: Scene
    scenes: Sequence[Scene]


def rehearse(
    rules: RuleSet,
    parsed: ParsedBody,
    audience: Audience,
    actions: Mapping[str, Action] = _NO_ACTIONS,
) -> Iterator[Rehearsal]:
    """Each alert of the body that is understood, by itself: as if none had come before it.

    `actions`, as the settings have them, check what rules would have them do; those that are not given, by what they
    take at all. None is run, or asks anybody.
    """
    for alert in parsed.alerts:
        if isinstance(alert, Alert):
            yield _one(rules, alert, parsed.source, audience, actions)


def _one(
    rules: RuleSet, alert: Alert, source: str, audience: Audience, actions: Mapping[str, Action]
) -> Rehearsal:
    subject = subject_of_alert(alert, source)
    verdict = triage(rules, alert, source)
    raised = Scene(EventType.ALERT_RAISED, subject, trace(rules, EventType.ALERT_RAISED, subject))
    if verdict.is_ignored or alert.is_test:
        return Rehearsal(alert, verdict, raised, ())
    play = _Play(rules, alert, verdict.priority or alert.priority, audience, actions)
    return Rehearsal(alert, verdict, raised, list(play.scenes()))


@dataclass(frozen=True, slots=True)
class _Cue:
    """An event that would happen. `behind`: the rules that it follows from."""

    event: EventType
    payload: Mapping[str, object] = field(default_factory=dict)
    behind: frozenset[str] = frozenset()
    because: str = ""


@dataclass(frozen=True, slots=True)
class _Play:
    """The life of one incident: its own events, then those of the actions and diagnoses that rules ask for."""

    rules: RuleSet
    alert: Alert
    priority: str
    audience: Audience
    actions: Mapping[str, Action]

    def scenes(self) -> Iterator[Scene]:
        cues = [_Cue(event) for event in EventType if event in INCIDENT_EVENTS]
        for cue in cues:
            if not self.rules.reacts_to(cue.event):
                continue
            scene = self._scene(cue)
            yield scene
            for effect in scene.effects:
                cues += self._answers(cue, effect, scene)
            if len(cues) > MOST_SCENES:
                return

    def _scene(self, cue: _Cue) -> Scene:
        subject = subject_of_incident(
            cue.event,
            status=Status.ACTIVE.value,
            severity=self.alert.severity,
            priority=self.priority,
            details=subject_of_alert(self.alert, "").fields
            | {"mitigation": _MITIGATION_AT.get(cue.event, "")},
            labels=self.alert.labels,
            payload=cue.payload,
        )
        found = [
            effect
            for effect in effects(self.rules, cue.event, subject, self.audience)
            if not (isinstance(effect, RunEffect) and effect.rule in cue.behind)
        ]
        ordered = {one.rule: self._ordered(one.spec, subject) for one in found if isinstance(one, RunEffect)}
        traces = trace(self.rules, cue.event, subject)
        return Scene(cue.event, subject, traces, found, ordered, cue.because)

    def _answers(self, cue: _Cue, effect: Effect, scene: Scene) -> Iterator[_Cue]:
        if isinstance(effect, DiagnoseEffect):
            because = f"{effect.diagnosis}, asked for by {effect.rule}"
            yield _Cue(EventType.DIAGNOSTICS_COMPLETED, {"diagnosis": effect.diagnosis}, cue.behind, because)
        if not isinstance(effect, RunEffect):
            return
        ordered = scene.ordered[effect.rule]
        payload = {
            "action": ordered.spec.action,
            "target": ordered.target,
            "rule": effect.rule,
        }
        behind = cue.behind | {effect.rule}
        because = f"{ordered.spec.action}, asked for by {effect.rule}"
        if ordered.flaw:
            yield _Cue(EventType.ACTION_REJECTED, payload, behind, because)
            return
        if ordered.spec.needs_approval:
            yield _Cue(EventType.ACTION_REQUESTED, payload, behind, because)
        yield _Cue(EventType.ACTION_COMPLETED, payload, behind, because)
        yield _Cue(EventType.ACTION_FAILED, payload, behind, because)

    def _ordered(self, spec: RunSpec, subject: Subject) -> Ordered:
        try:
            spec = spec.rendered(view_of(subject, _NOT_YET))
        except RenderFailed as error:
            return Ordered(spec, flaw=str(error))
        order = Order(spec.action, spec.target, spec.parameters)
        action = self.actions.get(spec.action)
        problems = action.check(order) if action else CATALOGUE[spec.action].problems(order)
        if action is None or problems:
            target = " ".join(f"{name}={text}" for name, text in spec.target.items())
            return Ordered(spec, target, "; ".join(problems))
        return Ordered(spec, action.target_text(order))

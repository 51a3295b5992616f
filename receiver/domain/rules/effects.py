"""What rules may ask for: the effects, and the events on which each of them can be had."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.run_spec import RunSpec


@dataclass(frozen=True, slots=True)
class NotifyEffect:
    """Tell `channel` of the occasion `template`, because the rule `rule` says so.

    `wording`: the name of a text of the user's own for it. `is_quiet`: this once, without repeats and updates.
    """

    channel: str
    template: Template
    rule: str
    wording: str = ""
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class RunEffect:
    """Ask for an action."""

    rule: str
    spec: RunSpec


@dataclass(frozen=True, slots=True)
class DiagnoseEffect:
    """Collect what the diagnosis of this name looks at."""

    rule: str
    diagnosis: str


@dataclass(frozen=True, slots=True)
class EscalateEffect:
    """Call for people by the escalation policy of this name."""

    rule: str
    policy: str


@dataclass(frozen=True, slots=True)
class ResolveEffect:
    """The incident is over."""

    rule: str


Effect = NotifyEffect | RunEffect | DiagnoseEffect | EscalateEffect | ResolveEffect

# The message that tells an event. A channel that a worse incident concerns only now has not heard of it yet.
TEMPLATE_OF: Mapping[EventType, Template] = {
    EventType.INCIDENT_OPENED: Template.OPENED,
    EventType.INCIDENT_UPDATED: Template.OPENED,
    EventType.INCIDENT_ACKNOWLEDGED: Template.ACKNOWLEDGED,
    EventType.INCIDENT_RESOLVED: Template.RESOLVED,
    EventType.ACTION_REQUESTED: Template.APPROVAL_NEEDED,
    EventType.ACTION_COMPLETED: Template.ACTION_COMPLETED,
    EventType.ACTION_FAILED: Template.ACTION_FAILED,
    EventType.ACTION_REJECTED: Template.ACTION_FAILED,
    EventType.DIAGNOSTICS_COMPLETED: Template.DIAGNOSED,
}
# The messages worth telling on another channel when they cannot be had on the one they were meant for.
RESCUED: Collection[str] = frozenset(
    {
        Template.OPENED,
        Template.RESOLVED,
        Template.ESCALATED,
        Template.ACTION_FAILED,
        Template.APPROVAL_NEEDED,
    }
)

_WHILE_OPEN = frozenset(
    {
        EventType.INCIDENT_OPENED,
        EventType.INCIDENT_UPDATED,
        EventType.INCIDENT_ACKNOWLEDGED,
        EventType.ACTION_COMPLETED,
        EventType.ACTION_FAILED,
        EventType.ACTION_REJECTED,
    }
)
_TROUBLE = frozenset(
    {
        EventType.INCIDENT_OPENED,
        EventType.INCIDENT_UPDATED,
        EventType.ACTION_REQUESTED,
        EventType.ACTION_FAILED,
        EventType.ACTION_REJECTED,
        EventType.DIAGNOSTICS_COMPLETED,
        EventType.NOTIFICATION_FAILED,
    }
)
EFFECTS: Mapping[str, frozenset[EventType]] = {
    "incident": frozenset({EventType.ALERT_RAISED}),
    "priority": frozenset({EventType.ALERT_RAISED}),
    "notify": frozenset({*TEMPLATE_OF, EventType.NOTIFICATION_FAILED}),
    "run": _WHILE_OPEN | {EventType.DIAGNOSTICS_COMPLETED},
    "diagnose": _WHILE_OPEN,
    "escalate": _TROUBLE,
    "resolve": frozenset({EventType.ACTION_COMPLETED}),
}
EVENTS: Mapping[str, EventType] = {one.value: one for events in EFFECTS.values() for one in events}


def templates_of(event: EventType) -> Collection[Template]:
    """The messages that may tell an event: one, but for a failed message all that are worth telling elsewhere."""
    if event is EventType.NOTIFICATION_FAILED:
        return [Template(one) for one in RESCUED]
    template = TEMPLATE_OF.get(event)
    return () if template is None else (template,)


def template_for(event: EventType, subject: Subject) -> Template | None:
    """The message that tells this event of this incident, None if there is none."""
    if event is EventType.NOTIFICATION_FAILED:
        failed = subject.fields.get("template", "")
        return Template(failed) if failed in RESCUED else None
    return TEMPLATE_OF.get(event)

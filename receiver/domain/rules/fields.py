"""Which fields a rule may look at on which event. Any other bare name in a matcher is a label."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from receiver.domain.events import EventType

_OF_ALERTS = frozenset(
    {"priority", "severity", "service", "cluster", "namespace", "phase", "rule_uid", "alertname"}
)
_OF_INCIDENTS = _OF_ALERTS | {"status", "mitigation"}
_OF_ACTIONS = frozenset({"action", "target", "outcome", "refusal", "rule"})
_OF_DIAGNOSES = frozenset({"diagnosis"})
_OF_FAILURES = frozenset({"channel", "template"})

INCIDENT_EVENTS = frozenset(
    {
        EventType.INCIDENT_OPENED,
        EventType.INCIDENT_UPDATED,
        EventType.INCIDENT_ACKNOWLEDGED,
        EventType.INCIDENT_RESOLVED,
        EventType.INCIDENT_CLOSED,
    }
)
ACTION_EVENTS = frozenset(
    {
        EventType.ACTION_REQUESTED,
        EventType.ACTION_COMPLETED,
        EventType.ACTION_FAILED,
        EventType.ACTION_REJECTED,
    }
)
# How an action stands, or what came of it. `unknown`: it may have been carried out; `dry_run`: it was only told.
OUTCOMES = frozenset(
    {"requested", "completed", "dry_run", "failed", "nothing_to_do", "unknown", "refused", "expired"}
)
# Results of a diagnosis: `diagnostics.metrics.availability.value`.
DIAGNOSTICS_PREFIX = "diagnostics."
# The events at which the results so far are looked at.
DIAGNOSED_EVENTS = ACTION_EVENTS | {EventType.DIAGNOSTICS_COMPLETED}

FIELDS_OF: Mapping[EventType, frozenset[str]] = {
    EventType.ALERT_RAISED: _OF_ALERTS | {"source"},
    **dict.fromkeys(INCIDENT_EVENTS, _OF_INCIDENTS),
    **dict.fromkeys(ACTION_EVENTS, _OF_INCIDENTS | _OF_ACTIONS),
    EventType.DIAGNOSTICS_COMPLETED: _OF_INCIDENTS | _OF_DIAGNOSES,
    EventType.NOTIFICATION_FAILED: _OF_INCIDENTS | _OF_FAILURES,
}
FIELDS = frozenset(name for names in FIELDS_OF.values() for name in names)
# Names that are fields whatever the events are: on those that do not know them they are a mistake, never a label.
_ALWAYS = _OF_INCIDENTS | {"source"}
_WHY = {
    "status": "an alert that is raised belongs to no incident yet",
    "mitigation": "an alert that is raised belongs to no incident yet",
    "source": "alerts of several senders may belong to one incident",
}


def fields_of(events: Collection[EventType]) -> frozenset[str]:
    """The bare names that mean a field in a rule for these events."""
    return _ALWAYS.union(*(FIELDS_OF.get(event, frozenset()) for event in events))


def names_on(events: Collection[EventType]) -> frozenset[str]:
    """The fields that are known on each of these events."""
    known = [FIELDS_OF.get(event, frozenset[str]()) for event in events]
    return known[0].intersection(*known[1:]) if known else FIELDS


def is_result(name: str) -> bool:
    """Whether a bare name means a result of a diagnosis."""
    return name.startswith(DIAGNOSTICS_PREFIX)


def unknown_on(name: str, events: Collection[EventType]) -> tuple[list[EventType], str]:
    """The events among these on which nothing is known of a field, and why that is."""
    if is_result(name):
        blind = [event for event in events if event not in DIAGNOSED_EVENTS]
        return blind, "nothing has been looked at yet"
    blind = [event for event in events if name not in FIELDS_OF.get(event, frozenset())]
    return blind, _WHY.get(name, f"use a rule of its own there, or write label.{name} if you mean the label")

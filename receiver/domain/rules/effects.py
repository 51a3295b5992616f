"""Which effects a rule may ask for, and on which events each of them can be had."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.domain.events import EventType
from receiver.domain.notification import Template

# The message that tells an event. A channel that a worse incident concerns only now has not heard of it yet.
TEMPLATE_OF: Mapping[EventType, Template] = {
    EventType.INCIDENT_OPENED: Template.OPENED,
    EventType.INCIDENT_UPDATED: Template.OPENED,
    EventType.INCIDENT_ACKNOWLEDGED: Template.ACKNOWLEDGED,
    EventType.INCIDENT_RESOLVED: Template.RESOLVED,
}
EFFECTS: Mapping[str, frozenset[EventType]] = {
    "incident": frozenset({EventType.ALERT_RAISED}),
    "priority": frozenset({EventType.ALERT_RAISED}),
    "notify": frozenset(TEMPLATE_OF),
}
EVENTS: Mapping[str, EventType] = {one.value: one for events in EFFECTS.values() for one in events}

# What is not known when an event is looked at, and why.
UNKNOWN_FIELDS: Mapping[str, tuple[frozenset[EventType], str]] = {
    "status": (EFFECTS["priority"], "an alert that is raised belongs to no incident yet"),
    "source": (EFFECTS["notify"], "alerts of several senders may belong to one incident"),
}

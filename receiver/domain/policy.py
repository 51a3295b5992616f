"""What follows from an event: a pure function from an event to the work it asks for, each piece with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from receiver.domain.events import Event, EventType
from receiver.domain.notification import Template


@dataclass(frozen=True, slots=True)
class NotifyEffect:
    """Tell `channel` with `template`, because of `reason`."""

    channel: str
    template: Template
    reason: str


_TEMPLATE_OF = {EventType.INCIDENT_OPENED: Template.OPENED, EventType.INCIDENT_RESOLVED: Template.RESOLVED}


def effects_of(event: Event, channels: Sequence[str]) -> list[NotifyEffect]:
    """The effects of `event`: every configured channel hears when an incident opens and when it resolves."""
    template = _TEMPLATE_OF.get(event.type)
    if template is None:
        return []
    return [NotifyEffect(channel, template, f"default: {event.type.value}") for channel in channels]

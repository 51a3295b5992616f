"""What a rule may name: channels, actions, and what the other sections of its file define."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from receiver.domain.action import Signature
from receiver.domain.diagnosis import Diagnosis
from receiver.domain.escalation import EscalationPolicy
from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.effects import templates_of
from receiver.domain.rules.problem import unknown

ALL_CHANNELS = "all"


@dataclass(frozen=True, slots=True)
class Channels:
    """`wanted`: all channels with the messages that they have a use for; `configured`: those that may be named here."""

    wanted: Mapping[str, Collection[Template]]
    configured: Collection[str] | None = None

    def flaw_of(self, name: str, events: Collection[EventType] = ()) -> str | None:
        """Why a rule for these events cannot tell the channel `name`, None if it can."""
        if name not in self.wanted:
            return unknown("channel", name, {*self.wanted, ALL_CHANNELS})
        if self.configured is not None and name not in self.configured:
            return f"the channel {name} is not configured; `receiver settings` lists what it needs"
        if events and not any(one in self.wanted[name] for event in events for one in templates_of(event)):
            return f"the channel {name} has no message for {listed(events)}"
        return None

    def joined_by(self, others: Mapping[str, Collection[Template]]) -> Channels:
        """These and others, which may be named wherever the file is read."""
        configured = None if self.configured is None else {*self.configured, *others}
        return Channels({**self.wanted, **others}, configured)


@dataclass(frozen=True, slots=True)
class Known:
    """All names that a rule may use, as far as they are known. `actions`: the whole catalogue, by name."""

    channels: Channels
    actions: Mapping[str, Signature] = field(default_factory=dict)
    diagnoses: Mapping[str, Diagnosis] = field(default_factory=dict)
    escalations: Mapping[str, EscalationPolicy] = field(default_factory=dict)


def listed(events: Collection[EventType]) -> str:
    """Events by name, for a message."""
    return ", ".join(sorted(event.value for event in events))

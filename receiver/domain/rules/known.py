"""What a rule may name: channels, actions, and what the other sections of its file define."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from receiver.domain.action import Order, Signature
from receiver.domain.diagnosis import Diagnosis
from receiver.domain.escalation import EscalationPolicy
from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.effects import templates_of
from receiver.domain.rules.problem import unknown

ALL_CHANNELS = "all"
_OF_ONES_OWN = "others are defined under channels: in this file, or named in RECEIVER_APPRISE_URLS"
# What is wrong with an order, as `target.KEY: ...` or `PARAMETER: ...` each.
OrderCheck = Callable[[Order], list[str]]


def no_mistakes(order: Order) -> list[str]:
    """For where nothing is known of how actions check an order."""
    return []


@dataclass(frozen=True, slots=True)
class Channels:
    """`wanted`: all channels with the messages that they have a use for; `configured`: those that may be named here."""

    wanted: Mapping[str, Collection[Template]]
    configured: Collection[str] | None = None

    def flaw_of(self, name: str, events: Collection[EventType] = ()) -> str | None:
        """Why a rule for these events cannot tell the channel `name`, None if it can."""
        if name not in self.wanted:
            told = f"{unknown('channel', name, {*self.wanted, ALL_CHANNELS})}; {_OF_ONES_OWN}"
            return (
                told if self.configured is not None else f"{told} (for a check elsewhere: --channel {name})"
            )
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
    """All names that a rule may use, as far as they are known.

    `actions`: the whole catalogue, by name; `mistakes_of`: what is wrong with an order for one of them. `wordings`: the
    templates that rules may ask for; None: any.
    """

    channels: Channels
    actions: Mapping[str, Signature] = field(default_factory=dict)
    mistakes_of: OrderCheck = no_mistakes
    wordings: Collection[str] | None = None
    diagnoses: Mapping[str, Diagnosis] = field(default_factory=dict)
    escalations: Mapping[str, EscalationPolicy] = field(default_factory=dict)


def listed(events: Collection[EventType]) -> str:
    """Events by name, for a message."""
    return ", ".join(sorted(event.value for event in events))

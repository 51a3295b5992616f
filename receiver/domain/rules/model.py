"""What a rules file says, once it has been read: rules in their order, and an index that finds those that may apply."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.domain.channel import ChannelSpec
from receiver.domain.diagnosis import Diagnosis
from receiver.domain.escalation import EscalationPolicy
from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.index import Index
from receiver.domain.rules.matcher import Matcher, Subject
from receiver.domain.rules.run_spec import RunSpec
from receiver.domain.severity import Priority

# The channels that are configured, and the messages that each has a use for.
Audience = Mapping[str, Collection[Template]]

ALL_PRIORITIES = frozenset(one.value for one in Priority)
# What an incident is known by without asking for its labels.
_AT_HAND = frozenset({"priority", "severity", "status"})


@dataclass(frozen=True, slots=True)
class Notice:
    """Whom a rule tells, () for everybody; with the user's own text `wording`, if any; without updates if quiet."""

    channels: tuple[str, ...] = ()
    wording: str = ""
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `proceed`: those below it are looked at as well.

    `diagnosis` and `policy` name what it asks for, empty for nothing.
    """

    name: str
    events: frozenset[EventType]
    matchers: tuple[Matcher, ...] = ()
    ignore: bool = False
    priority: str | None = None
    notice: Notice | None = None
    run: RunSpec | None = None
    diagnosis: str = ""
    policy: str = ""
    resolves: bool = False
    proceed: bool = False

    def first_failing(self, subject: Subject) -> Matcher | None:
        """The first of its conditions that the subject does not fulfil, None if it applies."""
        for matcher in self.matchers:
            if not matcher.holds(subject):
                return matcher
        return None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All of one file. `priorities`: alerts of any other open no incident. The rest is named by rules.

    `wanted`: the messages that its own channels have a use for.
    """

    rules: tuple[Rule, ...]
    priorities: frozenset[str] = ALL_PRIORITIES
    channels: Mapping[str, ChannelSpec] = field(default_factory=dict)
    diagnoses: Mapping[str, Diagnosis] = field(default_factory=dict)
    escalations: Mapping[str, EscalationPolicy] = field(default_factory=dict)
    wanted: Audience = field(default_factory=dict)
    _indexes: Mapping[EventType, Index[Rule]] = field(init=False, repr=False, compare=False)
    _detailed: Collection[EventType] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A rule may set the priority of an alert, and those below it see that.
        changing = {EventType.ALERT_RAISED: {"priority"}}
        indexes = {
            event: Index(self.on(event), [rule.matchers for rule in self.on(event)], changing.get(event, ()))
            for event in {event for rule in self.rules for event in rule.events}
        }
        object.__setattr__(self, "_indexes", indexes)
        detailed = {
            event
            for event, index in indexes.items()
            if any(rule.run is not None or _details(rule.matchers) for rule in index.entries)
        }
        object.__setattr__(self, "_detailed", detailed)

    def on(self, event: EventType) -> Sequence[Rule]:
        """The rules for an event, in order."""
        return [rule for rule in self.rules if event in rule.events]

    def applying(self, event: EventType, subject: Subject) -> Iterator[Rule]:
        """The rules that apply, in order, up to the first that does not let others follow."""
        index = self._indexes.get(event)
        for rule in index.candidates(subject) if index else ():
            if rule.first_failing(subject) is None:
                yield rule
                if not rule.proceed:
                    return

    def wanted_by(self, channel: str) -> Collection[Template] | None:
        """The messages that a channel of this file has a use for; None if it is none of this file."""
        return self.wanted.get(channel)

    def reacts_to(self, event: EventType) -> bool:
        """Whether there is any rule for the event."""
        return event in self._indexes

    def asks_for_details(self, event: EventType) -> bool:
        """Whether a rule for the event looks at more of an incident than status, severity and priority.

        Or fills it into the texts of an action.
        """
        return event in self._detailed


def _details(matchers: Iterable[Matcher]) -> bool:
    return any(one.is_label or one.name not in _AT_HAND for one in matchers)

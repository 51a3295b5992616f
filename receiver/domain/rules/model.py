"""What a rules file says, once it has been read: rules in their order, and an index that finds those that may apply."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.index import Index
from receiver.domain.rules.matcher import Matcher, Subject
from receiver.domain.severity import Priority

# The configured channels, and the messages that each has a use for.
Audience = Mapping[str, Collection[Template]]

ALL_PRIORITIES = frozenset(one.value for one in Priority)
# What an incident is known by without asking for its labels.
_AT_HAND = frozenset({"priority", "severity", "status"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `proceed`: those below it are looked at as well. `channels` None: it tells nobody; (): everybody."""

    name: str
    events: frozenset[EventType]
    matchers: tuple[Matcher, ...] = ()
    ignore: bool = False
    priority: str | None = None
    channels: tuple[str, ...] | None = None
    proceed: bool = False

    def first_failing(self, subject: Subject) -> Matcher | None:
        """The first of its conditions that the subject does not fulfil, None if it applies."""
        for matcher in self.matchers:
            if not matcher.holds(subject):
                return matcher
        return None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one file. `priorities`: alerts of any other open no incident."""

    rules: tuple[Rule, ...]
    priorities: frozenset[str] = ALL_PRIORITIES
    _indexes: Mapping[EventType, Index[Rule]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A rule may set the priority of an alert, and those below it see that.
        changing = {EventType.ALERT_RAISED: {"priority"}}
        indexes = {
            event: Index(self.on(event), [rule.matchers for rule in self.on(event)], changing.get(event, ()))
            for event in {event for rule in self.rules for event in rule.events}
        }
        object.__setattr__(self, "_indexes", indexes)

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

    def reacts_to(self, event: EventType) -> bool:
        """Whether there is any rule for the event."""
        return event in self._indexes

    def asks_for_details(self, event: EventType) -> bool:
        """Whether a rule for the event looks at more of an incident than status, severity and priority."""
        index = self._indexes.get(event)
        return index is not None and any(_details(rule.matchers) for rule in index.entries)


def _details(matchers: Iterable[Matcher]) -> bool:
    return any(one.is_label or one.name not in _AT_HAND for one in matchers)

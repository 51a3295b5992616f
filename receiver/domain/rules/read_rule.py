"""One rule of the file: its keys, what each may hold, and what does not go together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.document import Node, Sequence, Table, Text, kind_of
from receiver.domain.rules.effects import EFFECTS, EVENTS, TEMPLATE_OF, UNKNOWN_FIELDS
from receiver.domain.rules.matcher import Matcher, read_matcher
from receiver.domain.rules.model import ALL_PRIORITIES, Rule
from receiver.domain.rules.problem import Problem, unknown

LONGEST_NAME = 64
MOST_MATCHERS = 50
IGNORE = "ignore"
ALL_CHANNELS = "all"
_KEYS = ("name", "on", "match", *EFFECTS, "continue")


@dataclass(frozen=True, slots=True)
class Channels:
    """`wanted`: all channels with the messages that they have a use for; `configured`: those that may be named here."""

    wanted: Mapping[str, Collection[Template]]
    configured: Collection[str] | None = None

    def flaw_of(self, name: str, events: Collection[EventType]) -> str | None:
        """Why a rule for these events cannot tell the channel `name`, None if it can."""
        if name not in self.wanted:
            return unknown("channel", name, {*self.wanted, ALL_CHANNELS})
        if self.configured is not None and name not in self.configured:
            return f"the channel {name} is not configured; `receiver settings` lists what it needs"
        if events and not any(TEMPLATE_OF.get(event) in self.wanted[name] for event in events):
            return f"the channel {name} has no message for {_listed(events)}"
        return None


class RuleReader:
    """Reads one rule and notes what is wrong with it in `problems`."""

    def __init__(self, node: Node, problems: list[Problem], channels: Channels) -> None:
        self._node = node
        self._problems = problems
        self._channels = channels
        self._entries: Mapping[str, tuple[Text, Node]] = {}

    def read(self) -> Rule | None:
        """The rule, None where it has no usable name. It counts only if no problem was noted."""
        if not isinstance(self._node, Table):
            self._note(self._node, f"a rule must be a table of keys, this is {kind_of(self._node)}")
            return None
        self._entries = self._node.entries
        for key, _ in self._entries.values():
            if key.value not in _KEYS:
                self._note(key, unknown("key", key.value, _KEYS))
        name = self._name()
        events = self._events()
        rule = Rule(
            name=name or "",
            events=frozenset(events),
            matchers=tuple(self._matchers(events)),
            ignore=self._ignores(),
            priority=self._priority(),
            channels=self._channels_told(events),
            proceed=self._flag("continue"),
        )
        self._check(rule)
        return rule if name else None

    def _name(self) -> str | None:
        node = self._value("name")
        if node is None:
            self._note(self._node, "name is missing; it is given as the reason for what the rule does")
            return None
        if not isinstance(node, Text) or not node.value.strip():
            self._note(node, f"name must be a text, this is {kind_of(node)}")
            return None
        if len(node.value) > LONGEST_NAME or not node.value.isprintable():
            self._note(node, f"name must be one line of at most {LONGEST_NAME} characters")
            return None
        return node.value.strip()

    def _events(self) -> list[EventType]:
        node = self._value("on")
        if node is None:
            self._note(
                self._node,
                f"on is missing; it says which events the rule is for: {', '.join(sorted(EVENTS))}",
            )
            return []
        events = []
        for item in self._texts(node, "on", "the name of an event, or a list of them"):
            if item.value in EVENTS:
                events.append(EVENTS[item.value])
            elif item.value in {one.value for one in EventType}:
                known = ", ".join(sorted(EVENTS))
                self._note(item, f"no rule can react to {item.value}; known are {known}")
            else:
                self._note(item, unknown("event", item.value, EVENTS))
        return events

    def _matchers(self, events: Collection[EventType]) -> Iterator[Matcher]:
        node = self._value("match")
        if node is None:
            return
        items = list(self._texts(node, "match", 'a matcher, as in service="checkout", or a list of them'))
        if len(items) > MOST_MATCHERS:
            self._note(node, f"there are {len(items)} matchers, {MOST_MATCHERS} are allowed")
            return
        for item in items:
            matcher = read_matcher(item.value)
            if isinstance(matcher, str):
                self._note(item, matcher)
                continue
            blind, why = UNKNOWN_FIELDS.get(matcher.name, (frozenset[EventType](), ""))
            unseen = blind.intersection(events)
            if unseen and not matcher.is_label:
                self._note(item, f"{matcher.name} is not known on {_listed(unseen)}: {why}")
            yield matcher

    def _ignores(self) -> bool:
        node = self._value("incident")
        if node is not None and (not isinstance(node, Text) or node.value != IGNORE):
            self._note(node, f"incident must be {IGNORE}, this is {kind_of(node)}; without it alerts get one")
        return node is not None

    def _priority(self) -> str | None:
        node = self._value("priority")
        if node is None:
            return None
        if not isinstance(node, Text):
            self._note(node, f"priority must be one of P0 to P4, this is {kind_of(node)}")
            return None
        if node.value not in ALL_PRIORITIES:
            self._note(node, unknown("priority", node.value, ALL_PRIORITIES))
        return node.value

    def _channels_told(self, events: Collection[EventType]) -> tuple[str, ...] | None:
        node = self._value("notify")
        if node is None:
            return None
        if not isinstance(node, Table):
            self._note(node, f"notify must be a table with the key channels, this is {kind_of(node)}")
            return None
        for key, _ in node.entries.values():
            if key.value != "channels":
                self._note(key, unknown("key", key.value, ("channels",)))
        if "channels" not in node.entries:
            self._note(node, f"channels is missing; it is a list of channels, or {ALL_CHANNELS}")
            return None
        _, listed = node.entries["channels"]
        items = list(self._texts(listed, "channels", f"a list of channels, or {ALL_CHANNELS}"))
        names = [item.value for item in items]
        if ALL_CHANNELS in names:
            if len(names) > 1:
                self._note(listed, f"{ALL_CHANNELS} stands alone: it means every channel that is configured")
            return ()
        for item in items:
            flaw = self._channels.flaw_of(item.value, [event for event in events if event in TEMPLATE_OF])
            if flaw is not None:
                self._note(item, flaw)
        return tuple(dict.fromkeys(names))

    def _flag(self, name: str) -> bool:
        node = self._value(name)
        if node is None:
            return False
        if not isinstance(node, Text) or not node.plain or node.value not in ("true", "false"):
            self._note(node, f"{name} must be true or false, this is {kind_of(node)}")
            return False
        return node.value == "true"

    def _check(self, rule: Rule) -> None:
        asked = [name for name in EFFECTS if name in self._entries]
        if not asked:
            self._note(self._node, f"the rule asks for nothing; give it one of {', '.join(EFFECTS)}")
        for name in asked:
            key, _ = self._entries[name]
            wrong = rule.events - EFFECTS[name]
            if wrong:
                self._note(key, f"{name} cannot be had on {_listed(wrong)}, only on {_listed(EFFECTS[name])}")
        if rule.ignore and (rule.proceed or rule.priority):
            other = "continue" if rule.proceed else "priority"
            self._note(
                self._entries[other][0], f"incident: {IGNORE} is the end of it: {other} would do nothing"
            )

    def _value(self, name: str) -> Node | None:
        entry = self._entries.get(name)
        return entry[1] if entry else None

    def _texts(self, node: Node, name: str, expected: str) -> Iterator[Text]:
        """The texts of a list, or the only one. Anything else, and an empty list, is noted."""
        items = node.items if isinstance(node, Sequence) else [node]
        if not items:
            self._note(node, f"{name} is empty; it must be {expected}")
        for item in items:
            if isinstance(item, Text) and item.value:
                yield item
            else:
                self._note(item, f"{name} must be {expected}, this is {kind_of(item)}")

    def _note(self, node: Node, text: str) -> None:
        self._problems.append(node.problem(text))


def _listed(events: Collection[EventType]) -> str:
    return ", ".join(sorted(event.value for event in events))

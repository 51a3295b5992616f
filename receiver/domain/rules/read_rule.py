"""One rule of the file: its keys, what each may hold, and what does not go together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from receiver.domain.events import EventType
from receiver.domain.rules.document import Node, Table, Text, kind_of
from receiver.domain.rules.effects import EFFECTS, EVENTS, templates_of
from receiver.domain.rules.entries import Entries
from receiver.domain.rules.fields import fields_of, names_on, unknown_on
from receiver.domain.rules.known import Known, listed
from receiver.domain.rules.matcher import Matcher, read_matcher
from receiver.domain.rules.model import ALL_PRIORITIES, Notice, Rule
from receiver.domain.rules.problem import Problem, unknown
from receiver.domain.rules.read_notify import read_notify
from receiver.domain.rules.read_run import RunReader
from receiver.domain.rules.render import names_for
from receiver.domain.rules.run_spec import RunSpec

LONGEST_NAME = 64
MOST_MATCHERS = 50
IGNORE = "ignore"
_KEYS = ("name", "on", "match", *EFFECTS, "continue")


class RuleReader:
    """Reads one rule and notes what is wrong with it in `problems`."""

    def __init__(self, node: Node, problems: list[Problem], known: Known) -> None:
        self._node = node
        self._problems = problems
        self._known = known

    def read(self) -> Rule | None:
        """The rule, None where it has no usable name. It counts only if no problem was noted."""
        if not isinstance(self._node, Table):
            self._note(self._node, f"a rule must be a table of keys, this is {kind_of(self._node)}")
            return None
        entries = Entries(self._node, self._problems, "a rule", _KEYS)
        name = self._name(entries)
        events = self._events(entries)
        rule = Rule(
            name=name or "",
            events=frozenset(events),
            matchers=tuple(self._matchers(entries, events)),
            ignore=self._ignores(entries),
            priority=self._priority(entries),
            notice=self._notice(entries, events),
            run=self._run(entries, events),
            diagnosis=self._named(entries, "diagnose", "diagnosis", self._known.diagnoses),
            policy=self._named(entries, "escalate", "escalation", self._known.escalations),
            resolves=self._resolves(entries),
            proceed=entries.flag("continue"),
        )
        self._check(entries, rule)
        return rule if name else None

    def _name(self, entries: Entries) -> str | None:
        if "name" not in entries:
            entries.missing("name", "it is given as the reason for what the rule does")
            return None
        node = entries.text("name")
        if node is None:
            return None
        if len(node.value) > LONGEST_NAME or not node.value.isprintable():
            self._note(node, f"name must be one line of at most {LONGEST_NAME} characters")
            return None
        return node.value.strip()

    def _events(self, entries: Entries) -> list[EventType]:
        if "on" not in entries:
            entries.missing("on", f"it says which events the rule is for: {', '.join(sorted(EVENTS))}")
            return []
        events = []
        for item in entries.texts("on", "the name of an event, or a list of them"):
            if item.value in EVENTS:
                events.append(EVENTS[item.value])
            elif item.value in {one.value for one in EventType}:
                known = ", ".join(sorted(EVENTS))
                self._note(item, f"no rule can react to {item.value}; known are {known}")
            else:
                self._note(item, unknown("event", item.value, EVENTS))
        return events

    def _matchers(self, entries: Entries, events: Collection[EventType]) -> Iterator[Matcher]:
        items = list(entries.texts("match", 'a matcher, as in service="checkout", or a list of them'))
        if len(items) > MOST_MATCHERS:
            self._note(
                entries.value("match") or self._node,
                f"there are {len(items)} matchers, {MOST_MATCHERS} are allowed",
            )
            return
        fields = fields_of(events)
        for item in items:
            matcher = read_matcher(item.value, fields)
            if isinstance(matcher, str):
                self._note(item, matcher)
                continue
            if not matcher.is_label:
                blind, why = unknown_on(matcher.name, events)
                if blind:
                    self._note(item, f"{matcher.name} is not known on {listed(blind)}: {why}")
            yield matcher

    def _ignores(self, entries: Entries) -> bool:
        node = entries.value("incident")
        if node is not None and (not isinstance(node, Text) or node.value != IGNORE):
            self._note(node, f"incident must be {IGNORE}, this is {kind_of(node)}; without it alerts get one")
        return node is not None

    def _priority(self, entries: Entries) -> str | None:
        node = entries.text("priority", "one of P0 to P4")
        if node is None:
            return None
        if node.value not in ALL_PRIORITIES:
            self._note(node, unknown("priority", node.value, ALL_PRIORITIES))
        return node.value

    def _notice(self, entries: Entries, events: Collection[EventType]) -> Notice | None:
        node = entries.value("notify")
        if node is None:
            return None
        told = [event for event in events if templates_of(event)]
        return read_notify(node, self._problems, self._known, told)

    def _run(self, entries: Entries, events: Collection[EventType]) -> RunSpec | None:
        node = entries.value("run")
        if node is None:
            return None
        return RunReader(self._problems, self._known, names_for(names_on(events))).read(node)

    def _named(self, entries: Entries, key: str, what: str, known: Mapping[str, object]) -> str:
        """The name of something that another section of the file defines."""
        node = entries.text(key, f"the name of one of the file's {key}")
        if node is None:
            return ""
        if not known:
            self._note(node, f"there is no {what} of this name; the file defines none")
        elif node.value not in known:
            self._note(node, unknown(what, node.value, known))
        return node.value

    def _resolves(self, entries: Entries) -> bool:
        resolves = entries.flag("resolve")
        node = entries.value("resolve")
        if isinstance(node, Text) and node.value == "false":
            self._note(node, "resolve: false does nothing; leave it out")
        return resolves

    def _check(self, entries: Entries, rule: Rule) -> None:
        asked = [name for name in EFFECTS if name in entries]
        if not asked:
            self._note(self._node, f"the rule asks for nothing; give it one of {', '.join(EFFECTS)}")
        for name in asked:
            wrong = rule.events - EFFECTS[name]
            if wrong:
                self._note(
                    entries.key(name),
                    f"{name} cannot be had on {listed(wrong)}, only on {listed(EFFECTS[name])}",
                )
        if rule.ignore and (rule.proceed or rule.priority):
            other = "continue" if rule.proceed else "priority"
            self._note(entries.key(other), f"incident: {IGNORE} is the end of it: {other} would do nothing")

    def _note(self, node: Node, text: str) -> None:
        self._problems.append(node.problem(text))

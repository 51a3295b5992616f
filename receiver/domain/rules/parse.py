"""From the text of a rules file to its rules, or to all mistakes in it, each with its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from receiver.domain.action import Signature
from receiver.domain.channel import ChannelSpec
from receiver.domain.diagnosis import Diagnosis
from receiver.domain.escalation import EscalationPolicy
from receiver.domain.notification import Template
from receiver.domain.rules.document import Node, Sequence, Table, Text, kind_of, read_document
from receiver.domain.rules.known import ALL_CHANNELS, Channels, Known, OrderCheck, no_mistakes
from receiver.domain.rules.model import ALL_PRIORITIES, Audience, Rule, RuleSet
from receiver.domain.rules.problem import Problem, unknown
from receiver.domain.rules.read_channels import read_channels
from receiver.domain.rules.read_diagnoses import read_diagnoses
from receiver.domain.rules.read_escalations import read_escalations
from receiver.domain.rules.read_rule import RuleReader

VERSION = "1"
MOST_RULES = 2000
_KEYS = ("version", "incidents", "channels", "diagnoses", "escalations", "rules")


def parse_rules(
    text: str,
    wanted: Mapping[str, Collection[Template]],
    configured: Collection[str] | None = None,
    *,
    kinds: Collection[str] | None = None,
    actions: Mapping[str, Signature] | None = None,
    mistakes_of: OrderCheck = no_mistakes,
    wordings: Collection[str] | None = None,
) -> tuple[RuleSet | None, list[Problem]]:
    """The rules in `text`, None if there are mistakes; and the mistakes, in the order of their places.

    `wanted`: every channel there is, with the messages that it has a use for. `configured`: those that rules may name
    here, `kinds`: those of which the file may define more; None: all of them, for a look at a file that is meant for
    elsewhere. `actions`: the catalogue of what rules may ask to be run; `mistakes_of`: their
    own check of an order. `wordings`: the templates that rules may ask for, None: any.
    """
    root, problems = read_document(text)
    if root is None:
        return None, problems
    known = Known(Channels(wanted, configured), actions or {}, mistakes_of, wordings)
    parser = _Parser(problems, known, kinds)
    rules = parser.file(root)
    found = sorted(set(problems))
    return (None, found) if found else (rules, [])


class _Parser:
    def __init__(
        self,
        problems: list[Problem],
        known: Known,
        kinds: Collection[str] | None,
    ) -> None:
        self._problems = problems
        self._known = known
        self._channels = known.channels
        self._kinds = kinds

    def file(self, root: Node) -> RuleSet:
        """The whole document; what it returns counts only if no problem was noted."""
        if not isinstance(root, Table):
            self._note(
                root, f"the file must be a table with the keys {', '.join(_KEYS)}, this is {kind_of(root)}"
            )
            return RuleSet(())
        for key, _ in root.entries.values():
            if key.value not in _KEYS:
                self._note(key, unknown("key", key.value, _KEYS))
        self._version(root)
        named = self._named_channels(root)
        wanted: Audience = {name: self._channels.wanted.get(spec.kind, ()) for name, spec in named.items()}
        channels = self._channels.joined_by(wanted)
        escalations = self._escalations(root, channels)
        diagnoses = self._diagnoses(root)
        known = replace(self._known, channels=channels, diagnoses=diagnoses, escalations=escalations)
        return RuleSet(
            rules=self._rules(root, known),
            priorities=self._priorities(root.entries.get("incidents")),
            channels=named,
            diagnoses=diagnoses,
            escalations=escalations,
            wanted=wanted,
        )

    def _named_channels(self, root: Table) -> Mapping[str, ChannelSpec]:
        if "channels" not in root.entries:
            return {}
        taken = {*self._channels.wanted, *(self._channels.configured or ())}
        return read_channels(root.entries["channels"][1], self._problems, self._kinds, taken)

    def _escalations(self, root: Table, channels: Channels) -> Mapping[str, EscalationPolicy]:
        if "escalations" not in root.entries:
            return {}

        def flaw_of(name: str) -> str | None:
            return None if name == ALL_CHANNELS else channels.flaw_of(name)

        return read_escalations(root.entries["escalations"][1], self._problems, flaw_of)

    def _diagnoses(self, root: Table) -> Mapping[str, Diagnosis]:
        entry = root.entries.get("diagnoses")
        return read_diagnoses(entry[1], self._problems) if entry else {}

    def _version(self, root: Table) -> None:
        if "version" not in root.entries:
            self._note(root, f"version is missing; write version: {VERSION}")
            return
        _, value = root.entries["version"]
        if not isinstance(value, Text) or value.value != VERSION:
            self._note(value, f"version must be {VERSION}, this is {kind_of(value)}")

    def _priorities(self, entry: tuple[Text, Node] | None) -> frozenset[str]:
        if entry is None:
            return ALL_PRIORITIES
        _, table = entry
        if not isinstance(table, Table):
            self._note(table, f"incidents must be a table with the key priorities, this is {kind_of(table)}")
            return ALL_PRIORITIES
        for key, _ in table.entries.values():
            if key.value != "priorities":
                self._note(key, unknown("key", key.value, ("priorities",)))
        if "priorities" not in table.entries:
            return ALL_PRIORITIES
        _, listed = table.entries["priorities"]
        if not isinstance(listed, Sequence) or not listed.items:
            self._note(listed, f"priorities must be a list, as in [P0, P1], this is {kind_of(listed)}")
            return ALL_PRIORITIES
        return frozenset(self._priority(item) for item in listed.items)

    def _priority(self, item: Node) -> str:
        if not isinstance(item, Text):
            self._note(item, f"a priority must be one of P0 to P4, this is {kind_of(item)}")
        elif item.value not in ALL_PRIORITIES:
            self._note(item, unknown("priority", item.value, ALL_PRIORITIES))
        else:
            return item.value
        return ""

    def _rules(self, root: Table, known: Known) -> tuple[Rule, ...]:
        if "rules" not in root.entries:
            self._note(root, "rules is missing; it is the list of the rules")
            return ()
        _, listed = root.entries["rules"]
        if not isinstance(listed, Sequence):
            self._note(listed, f"rules must be a list, this is {kind_of(listed)}")
            return ()
        if len(listed.items) > MOST_RULES:
            self._note(listed, f"there are {len(listed.items)} rules, {MOST_RULES} are allowed")
            return ()
        rules: list[tuple[Node, Rule]] = []
        names: dict[str, int] = {}
        for item in listed.items:
            rule = RuleReader(item, self._problems, known).read()
            if rule is None:
                continue
            if names.setdefault(rule.name, item.line) != item.line:
                self._note(
                    item, f'the name "{rule.name}" belongs to the rule in line {names[rule.name]} already'
                )
            self._unreachable(item, rule, rules)
            rules.append((item, rule))
        return tuple(rule for _, rule in rules)

    def _unreachable(self, item: Node, rule: Rule, above: list[tuple[Node, Rule]]) -> None:
        for event in sorted(rule.events):
            taker = next(
                (
                    one
                    for one in above
                    if event in one[1].events and not one[1].matchers and not one[1].proceed
                ),
                None,
            )
            if taker is not None:
                where, greedy = taker
                self._note(
                    item,
                    f'"{rule.name}" never hears of {event.value}: "{greedy.name}" in line {where.line} takes every one;'
                    " put it above, or give that one continue: true",
                )

    def _note(self, node: Node, text: str) -> None:
        self._problems.append(node.problem(text))

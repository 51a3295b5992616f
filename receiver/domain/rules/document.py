"""A YAML text as a tree in which every part knows its place. Plain YAML only, within limits, and each key once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from receiver.domain.rules.problem import Problem, quoted

LARGEST_CHARACTERS = 512 * 1024
DEEPEST = 10


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of the document; line and column count from 1."""

    line: int
    column: int

    def problem(self, text: str) -> Problem:
        """A mistake that stands here."""
        return Problem(self.line, self.column, text)


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A single value, as it is written. `plain`: without quotes."""

    value: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Table(Node):
    """Keys with their values, in the file's order."""

    entries: dict[str, tuple[Text, Node]] = field(default_factory=dict)


def read_document(text: str) -> tuple[Node | None, list[Problem]]:
    """The tree (None where there is none), and what is wrong with the YAML: a tree with problems may have more."""
    if len(text) > LARGEST_CHARACTERS:
        return None, [Problem(1, 1, f"the file has {len(text)} characters, {LARGEST_CHARACTERS} are allowed")]
    try:
        reader = _Reader(text)
    except yaml.reader.ReaderError as error:
        return None, [_unreadable(text, error)]
    return reader.read(), reader.problems


def kind_of(node: Node) -> str:
    """What a node is, in words."""
    match node:
        case Sequence():
            return "a list"
        case Table():
            return "a table of keys"
        case Text(value="", plain=True):
            return "nothing"
        case Text():
            return quoted(node.value)
    return "something else"


class _Broken(Exception):
    """The rest of the document cannot be read. Never leaves this module."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._loader = yaml.SafeLoader(text)
        self._lines = text.splitlines()
        self._depth = 0

    def read(self) -> Node | None:
        """The first document."""
        root = None
        try:
            events = self._events()
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    if root is not None:
                        self._note(event, "a second document begins here; one file holds one")
                        break
                    root = self._node(next(events), events)
        except _Broken:
            return None
        if root is None and not self.problems:
            self.problems.append(Problem(1, 1, "the file is empty; it must begin with version: 1"))
        return root

    def _events(self) -> Iterator[yaml.Event]:
        while True:
            try:
                if not self._loader.check_event():
                    return
                event: yaml.Event = self._loader.get_event()  # type: ignore[no-untyped-call]  # the stubs lack its types
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark or self._loader.get_mark()
                reason = " ".join(filter(None, (error.context, error.problem)))
                self._broken(mark, f"this is no YAML: {reason}{self._comment_before(mark)}")
            except (ValueError, OverflowError, IndexError):
                # What the library does not catch itself: a \U escape beyond Unicode, a version of 5,000 digits.
                self._broken(self._loader.get_mark(), "this is no YAML: a character or number that cannot be")
            yield event

    def _comment_before(self, mark: Any) -> str:
        """The likely reason for a list or table that does not end: its end has become part of a comment."""
        before = enumerate(self._lines[: mark.line + 1], start=1)
        found = [(line, swallowed) for line, text in before if (swallowed := _swallowed(text))]
        if not found:
            return ""
        line, word = found[-1]
        return f"; in line {line} # begins a comment, a text with it needs quotes, as in " + f'"{word}"'

    def _broken(self, mark: Any, text: str) -> None:
        self.problems.append(Problem(*_place(mark), text))
        raise _Broken

    def _note(self, event: yaml.Event, text: str) -> None:
        self.problems.append(Problem(*_place(event.start_mark), text))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        place = _place(event.start_mark)
        self._refuse_references(event)
        match event:
            case yaml.ScalarEvent():
                if not event.value.isascii() and any("\ud800" <= one <= "\udfff" for one in event.value):
                    self._note(event, "half of a surrogate pair is no character")
                    return Text(*place, "", plain=False)
                return Text(*place, event.value, plain=event.style is None)
            case yaml.SequenceStartEvent():
                return Sequence(*place, list(self._items(event, events)))
            case yaml.MappingStartEvent():
                return self._table(Table(*place), event, events)
        return Text(*place, "", plain=True)  # an alias, refused above

    def _items(self, start: yaml.Event, events: Iterator[yaml.Event]) -> Iterator[Node]:
        self._enter(start)
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            yield self._node(event, events)
        self._depth -= 1

    def _table(self, table: Table, start: yaml.Event, events: Iterator[yaml.Event]) -> Table:
        self._enter(start)
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events)
            value = self._node(next(events), events)
            if not isinstance(key, Text):
                self.problems.append(key.problem(f"a key must be a word, this is {kind_of(key)}"))
            elif key.value in table.entries:
                first = table.entries[key.value][0].line
                self.problems.append(key.problem(f"{quoted(key.value)} stands in line {first} already"))
            else:
                table.entries[key.value] = (key, value)
        self._depth -= 1
        return table

    def _refuse_references(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._note(event, f"*{event.anchor}: references are not allowed; write it out")
            return
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._note(event, f"&{anchor}: anchors are not allowed; write it out where it is needed")
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            self._note(event, f"the tag {quoted(tag)} is not allowed; leave it out")

    def _enter(self, event: yaml.Event) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            self._broken(event.start_mark, f"nested deeper than {DEEPEST} levels")


def _place(mark: Any) -> tuple[int, int]:
    """Line and column as editors count them. The library counts from 0; its marks have two classes."""
    return mark.line + 1, mark.column + 1


def _unreadable(text: str, error: yaml.reader.ReaderError) -> Problem:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = error.position - (before.rfind("\n") + 1) + 1
    return Problem(line, column, f"the character U+{error.character:04X} is not allowed in YAML")


def _swallowed(line: str) -> str:
    """The word after a comment's mark that stands within an open bracket, whose end is lost with it; empty if none."""
    before, mark, after = line.partition("#")
    if not mark or '"' in before or "'" in before or not before.endswith((" ", "\t", ",", "[", "{")):
        return ""
    if sum(map(before.count, "[{")) <= sum(map(before.count, "]}")):
        return ""
    word = re.match(r"[\w-]{1,80}", after)
    return mark + word[0] if word else ""

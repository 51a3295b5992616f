"""The keys of a table in a rules file, read one by one; what is wrong with them is noted, with its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from receiver.domain.rules.document import Node, Sequence, Table, Text, kind_of
from receiver.domain.rules.problem import Problem, unknown

_SPAN = re.compile(r"([0-9]{1,7})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SECONDS = 30 * 86400


def seconds_of(text: str) -> float | None:
    """A stretch of time, `90s`, `10m`, `4h` or `1d`, in seconds; None where the text is none."""
    found = _SPAN.fullmatch(text.strip())
    return float(int(found[1]) * _UNITS[found[2]]) if found else None


class Entries:
    """The entries of `node`, which ought to be a table whose keys are among `known`. `what`: how it is called."""

    def __init__(
        self, node: Node, problems: list[Problem], what: str, known: Collection[str], example: str = ""
    ) -> None:
        self.node = node
        self.problems = problems
        self._entries: dict[str, tuple[Text, Node]] = {}
        if not isinstance(node, Table):
            hint = f"; write it as {example}" if example else ""
            self.note(node, f"{what} must be a table of keys, this is {kind_of(node)}{hint}")
            return
        self._entries = node.entries
        for key, _ in node.entries.values():
            if key.value not in known:
                self.note(key, unknown("key", key.value, known))

    @property
    def is_table(self) -> bool:
        """Whether there are entries at all: if not, that is noted already."""
        return isinstance(self.node, Table)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def key(self, name: str) -> Node:
        """Where the key stands; the whole table if it is missing."""
        entry = self._entries.get(name)
        return entry[0] if entry else self.node

    def value(self, name: str) -> Node | None:
        """What the key holds, None if it is missing."""
        entry = self._entries.get(name)
        return entry[1] if entry else None

    def text(self, name: str, expected: str = "a text") -> Text | None:
        """A single value that is not empty; None, and a note unless the key is missing, for anything else."""
        node = self.value(name)
        if node is None:
            return None
        if isinstance(node, Text) and node.value.strip():
            return node
        self.note(node, f"{name} must be {expected}, this is {kind_of(node)}")
        return None

    def texts(self, name: str, expected: str) -> Iterator[Text]:
        """The texts of a list, or the only one. Anything else, and an empty list, is noted."""
        node = self.value(name)
        if node is None:
            return
        items = node.items if isinstance(node, Sequence) else [node]
        if not items:
            self.note(node, f"{name} is empty; it must be {expected}")
        for item in items:
            if isinstance(item, Text) and item.value:
                yield item
            else:
                self.note(item, f"{name} must be {expected}, this is {kind_of(item)}")

    def flag(self, name: str) -> bool:
        """Whether it is true; missing is false."""
        node = self.value(name)
        if node is None:
            return False
        if not isinstance(node, Text) or not node.plain or node.value not in ("true", "false"):
            self.note(node, f"{name} must be true or false, this is {kind_of(node)}")
            return False
        return node.value == "true"

    def seconds(self, name: str, *, least: float = 1) -> float | None:
        """A stretch of time, `90s`, `10m`, `4h` or `1d`, in seconds; None where there is none that can be used."""
        node = self.text(name, "a stretch of time, as in 90s, 10m, 4h or 1d")
        if node is None:
            return None
        seconds = seconds_of(node.value)
        if seconds is None:
            self.note(
                node, f"{name} must be a stretch of time, as in 90s, 10m, 4h or 1d, this is {kind_of(node)}"
            )
            return None
        if not least <= seconds <= LONGEST_SECONDS:
            self.note(node, f"{name} must be from {least:g}s to {LONGEST_SECONDS // 86400}d")
            return None
        return seconds

    def missing(self, name: str, why: str) -> None:
        """Note that a key is missing that has to be there."""
        self.note(self.node, f"{name} is missing; {why}")

    def note(self, node: Node, text: str) -> None:
        """Note a mistake that stands at `node`."""
        self.problems.append(node.problem(text))

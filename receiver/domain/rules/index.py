"""Finds, among many rules, the few that may apply to a subject, by the values of its fields and labels.

Each entry is filed under one of its conditions. Which entries a value fulfils is worked out when it is first seen, and
remembered: what alerts bring is mostly what alerts before them have brought.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from receiver.domain.rules.matcher import Matcher, Subject

Entry = TypeVar("Entry")

# Values remembered for each field or label. Only short ones, so that no sender decides how much memory goes.
_REMEMBERED = 1024
_LONGEST_REMEMBERED = 128

_Found = Callable[[str], Sequence[int]]


class Index(Generic[Entry]):
    """`entries` in their order, each with its conditions. `changing`: fields that may change on the way."""

    def __init__(
        self,
        entries: Sequence[Entry],
        conditions: Sequence[Sequence[Matcher]],
        changing: Collection[str] = (),
    ) -> None:
        self.entries = tuple(entries)
        self._always: list[int] = []
        drawers: dict[tuple[bool, str], list[tuple[int, Matcher]]] = defaultdict(list)
        for position, matchers in enumerate(conditions):
            fixed = [one for one in matchers if one.is_label or one.name not in changing]
            if fixed:
                key = min(fixed, key=_breadth)
                drawers[key.is_label, key.name].append((position, key))
            else:
                self._always.append(position)
        self._drawers = [(is_label, name, _finder(filed)) for (is_label, name), filed in drawers.items()]

    def candidates(self, subject: Subject) -> Iterator[Entry]:
        """Entries that may apply, in their order: none that does apply is missing."""
        found = list(self._always)
        for is_label, name, find in self._drawers:
            found += find((subject.labels if is_label else subject.fields).get(name, ""))
        found.sort()
        return (self.entries[position] for position in found)


def _breadth(matcher: Matcher) -> int:
    """How much a condition lets through, as far as its kind tells: the narrowest makes the best key."""
    if matcher.literals is not None:
        return 0
    return 1 if matcher.is_positive else 2


def _finder(filed: Sequence[tuple[int, Matcher]]) -> _Found:
    by_value: dict[str, list[int]] = defaultdict(list)
    tested: list[tuple[int, Callable[[str], bool]]] = []
    for position, matcher in filed:
        if matcher.literals is None:
            tested.append((position, matcher.test))
        for value in matcher.literals or ():
            by_value[value].append(position)
    if not tested:
        return lambda value: by_value.get(value, ())

    def find(value: str) -> Sequence[int]:
        return (*by_value.get(value, ()), *(position for position, test in tested if test(value)))

    remembered = lru_cache(_REMEMBERED)(find)
    return lambda value: (remembered if len(value) <= _LONGEST_REMEMBERED else find)(value)

"""The numbers of one day by a key (a service, a priority, ...), column by column, so that many days add up quickly."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from receiver.domain.durations import Durations, packed, unpacked

Key = str | None | tuple[str | None, str | None]
INCIDENT_NUMBERS = (
    "incidents", "open", "acknowledged", "resolved", "ack_seconds", "resolve_seconds",
    "reopened", "unacknowledged", "brief",
)  # fmt: skip


class DayNumbers(msgspec.Struct):
    """`counts`: by its name each number, in the order of the keys. `times`: how long each incident took.

    The times are those to acknowledge, key after key, then those to resolve; of each key in ascending order, and as
    many as were `acknowledged` and `resolved`.
    """

    keys: list[Key]
    counts: dict[str, list[int]]

    def text(self) -> str:
        """As JSON; `read` reads it."""
        return msgspec.json.encode(self).decode()


class Fact(msgspec.Struct, frozen=True):
    """What one incident adds to its day."""

    is_open: bool
    ack_seconds: int | None
    resolve_seconds: int | None
    is_reopened: bool
    is_unacknowledged: bool
    is_brief: bool


class WrittenDay(msgspec.Struct):
    """A DayNumbers as it was written down: a question reads few of its columns."""

    keys: list[Key]
    counts: dict[str, msgspec.Raw]

    def column(self, name: str) -> list[int]:
        """The number of this name, in the order of the keys."""
        return _numbers.decode(self.counts[name])


_day = msgspec.json.Decoder(WrittenDay)
_numbers = msgspec.json.Decoder(list[int])


def read(text: str) -> WrittenDay:
    """What `text()` wrote."""
    return _day.decode(text)


def tally(facts: Iterable[tuple[Key, Fact]]) -> tuple[DayNumbers, bytes]:
    """The numbers and the times of incidents by their keys."""
    groups: defaultdict[Key, list[Fact]] = defaultdict(list)
    for key, fact in facts:
        groups[key].append(fact)
    acks = [_sorted(one.ack_seconds for one in group) for group in groups.values()]
    resolves = [_sorted(one.resolve_seconds for one in group) for group in groups.values()]
    counts = {
        "incidents": [len(group) for group in groups.values()],
        "open": [sum(one.is_open for one in group) for group in groups.values()],
        "acknowledged": [len(run) for run in acks],
        "resolved": [len(run) for run in resolves],
        "ack_seconds": [sum(run) for run in acks],
        "resolve_seconds": [sum(run) for run in resolves],
        "reopened": [sum(one.is_reopened for one in group) for group in groups.values()],
        "unacknowledged": [sum(one.is_unacknowledged for one in group) for group in groups.values()],
        "brief": [sum(one.is_brief for one in group) for group in groups.values()],
    }
    return DayNumbers(list(groups), counts), packed([*acks, *resolves])


def _sorted(values: Iterable[int | None]) -> list[int]:
    return sorted(one for one in values if one is not None)


def add_up(days: Iterable[WrittenDay], names: Sequence[str]) -> dict[Key, list[int]]:
    """Of all days together these numbers by key; keys of which all are 0 are left out."""
    sums: list[defaultdict[Key, int]] = [defaultdict(int) for _ in names]
    for day in days:
        for into, name in zip(sums, names, strict=True):
            # Column by column, and past the many that are 0: months by rule are tens of thousands of keys.
            for key, number in zip(day.keys, day.column(name), strict=True):
                if number:
                    into[key] += number
    keys = dict.fromkeys(itertools.chain.from_iterable(sums))
    return {key: [one.get(key, 0) for one in sums] for key in keys}


def add_times(
    into: Mapping[Key, tuple[Durations, Durations]], day: WrittenDay, times: bytes, wanted: Collection[Key]
) -> None:
    """Add the day's times to acknowledge and to resolve to those of the `wanted` keys."""
    numbers = unpacked(times)
    ends = [0, *itertools.accumulate(day.column("acknowledged") + day.column("resolved"))]
    ack_seconds, resolve_seconds = day.column("ack_seconds"), day.column("resolve_seconds")
    for place, key in enumerate(day.keys):
        if key in wanted:
            acks, resolves = into[key]
            later = place + len(day.keys)
            acks.add_run(numbers[ends[place] : ends[place + 1]], ack_seconds[place])
            resolves.add_run(numbers[ends[later] : ends[later + 1]], resolve_seconds[place])

"""Two result files side by side: what got faster or slower, and whether that is more than the noise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import table
from bench.results import FOLDER

# (figure of a scenario, words, whether less of it is better); files of before lack some.
_COMPARED = (
    ("webhooks_per_second", "webhooks/s", False),
    ("alerts_per_second", "alerts/s", False),
    ("p50_ms", "p50 ms", True),
    ("p99_ms", "p99 ms", True),
    ("receiver_us_per_alert", "receiver us/alert", True),
    ("database_us_per_alert", "database us/alert", True),
)
_LESS_IS_BETTER = (" ms", " MB", "us per ", "us of ")  # in the title of a measure
_MACHINE = ("cores", "cpu", "memory_gb", "system")
_SLOWER_DISK = 1.5
_CALM_CORES = 0.2
_DATE = len("2026-11-21-")  # what a result's name begins with


class NotComparable(Exception):
    """There is no such result, or it is none that this bench wrote."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure in both results, each as (median, lowest, highest)."""

    title: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    less_is_better: bool

    @property
    def percent(self) -> float | None:
        """By how much the median changed; None where it was 0 before."""
        return 100 * (self.after[0] / self.before[0] - 1) if self.before[0] else None

    @property
    def verdict(self) -> str:
        """`better` or `worse` where no repetition of one is among those of the other, else `noise`."""
        if self.after[1] <= self.before[2] and self.before[1] <= self.after[2]:
            return "noise"
        return "better" if (self.after[0] < self.before[0]) == self.less_is_better else "worse"


def find(name: str, folder: Path = FOLDER) -> Path:
    """The result file of this path, or of this commit (its beginning is enough). Raises NotComparable."""
    if Path(name).is_file():
        return Path(name)
    found = sorted(file for file in folder.glob("*.json") if file.stem[_DATE:].startswith(name))
    if len(found) == 1:
        return found[0]
    if found:
        raise NotComparable(f"several results are of {name}; name a file: {', '.join(map(str, found))}")
    there = ", ".join(sorted(file.name for file in folder.glob("*.json"))) or "none"
    raise NotComparable(
        f"there is no file {name}, and no result of such a commit in {folder} (there: {there})"
    )


def read(file: Path) -> dict[str, Any]:
    """A result file. Raises NotComparable, OSError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        found["scenarios"], found["machine"], found["commit"]
    except (ValueError, KeyError, TypeError) as error:
        raise NotComparable(f"{file} is no result file of this bench: {error!r}") from None
    assert isinstance(found, dict)
    return found


def text(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """A table of all figures that both have, what only one has, and warnings."""
    found = list(pairs(before, after))
    rows = [
        [
            pair.title,
            _told(pair.before),
            _told(pair.after),
            "" if pair.percent is None else f"{pair.percent:+.1f} %",
            pair.verdict,
        ]
        for pair in found
    ]
    head = ["median (lowest .. highest)", before["commit"], after["commit"], "change", ""]
    return "\n\n".join([table(head, rows), *warnings(before, after)])


def pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Pair]:
    """Every figure that both results have, in the order of the first."""
    for one, other in _both(before["scenarios"], after["scenarios"], "name"):
        for name, words, less in _COMPARED:
            # With one alert in a body both rates are one figure.
            is_told = name == "alerts_per_second" and one.get(name) == one["webhooks_per_second"]
            if name in one and name in other and not is_told:
                yield Pair(f"{one['title']}, {words}", _values(one[name]), _values(other[name]), less)
    for one, other in _both(before.get("measures", []), after.get("measures", []), "title"):
        less = any(part in one["title"] for part in _LESS_IS_BETTER)
        yield Pair(one["title"], _values(one), _values(other), less)


def warnings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    """What makes the two hard to compare, a text each."""
    for name in _MACHINE:
        yield from _difference(f"machine, {name}", before["machine"].get(name), after["machine"].get(name))
    slow, fast = (result["machine"].get("flush_ms") or 0.0 for result in (before, after))
    if max(slow, fast) > _SLOWER_DISK * min(slow, fast):
        yield f"Not the same disk: a flush took {slow} ms and {fast} ms."
    for part in ("versions", "options", "databases"):
        names = dict.fromkeys([*before.get(part, {}), *after.get(part, {})])
        for name in names:
            one, other = before.get(part, {}).get(name), after.get(part, {}).get(name)
            if part != "databases" or (one and other):  # one that a series did not need is no difference
                yield from _difference(f"{part}, {name}", one, other)
    for result in (before, after):
        busy = _others(result)
        if busy > _CALM_CORES:
            yield f"{result['commit']}: other programs kept up to {busy:.2f} cores busy meanwhile."
        if result.get("options", {}).get("repetitions") == 1:
            yield f"{result['commit']}: one repetition only, so nothing tells how much is noise."


def _both(
    ones: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], key: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    by_name = {other[key]: other for other in others}
    return ((one, by_name[one[key]]) for one in ones if one[key] in by_name)


def _difference(what: str, one: object, other: object) -> Iterator[str]:
    if one != other:
        yield f"Not the same: {what}: {one} and {other}."


def _others(result: Mapping[str, Any]) -> float:
    runs = [run for line in result["scenarios"] for run in line.get("runs", ())]
    return max((run["cpu_cores"].get("others", 0.0) for run in runs), default=0.0)


def _values(figure: Mapping[str, Any]) -> tuple[float, float, float]:
    return (figure["median"], figure["lowest"], figure["highest"])


def _told(values: tuple[float, float, float]) -> str:
    digits = 0 if values[0] >= 100 else 1
    median, lowest, highest = (f"{value:,.{digits}f}" for value in values)
    return f"{median} ({lowest} .. {highest})"

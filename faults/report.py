"""The table at the end, and the file that keeps it: faults/results/<date>-<commit>.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import commit, cores, versions
from faults.checks.registry import CHECKS
from faults.verdict import Verdict
from tests.fakes.tools import ROOT

FOLDER = ROOT / "faults" / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table: how it comes from the figures of all faults, and what it should be.

    `of`: another figure, of which it is a part. A figure that no fault gave is not in the table.
    """

    title: str
    name: str
    over_all: Callable[[list[float]], float]
    goal: str = ""
    holds: Callable[[float], bool] = lambda value: True
    of: str = ""


def _largest(values: list[float]) -> float:
    return max(values, default=0.0)


def _none(value: float) -> bool:
    return value == 0


def _below(limit: float) -> Callable[[float], bool]:
    return lambda value: value < limit


FIGURES = (
    Figure("acknowledged alerts lost", "lost", sum, "0 of 1,000,000", _none, of="alerts"),
    Figure("keys seen with two open incidents, of samples", "double_open", sum, "0", _none, of="samples"),
    Figure("actions executed twice, of actions", "double_executions", sum, "0", _none, of="actions"),
    Figure("crash rounds", "crash_rounds", sum, "(5,000: --crash-rounds)"),
    Figure("processes killed", "crashes", sum),
    Figure(
        "avoidable duplicate messages, of messages", "avoidable_duplicates", sum, "0", _none, of="messages"
    ),
    Figure("duplicate messages that nobody could avoid", "duplicates", sum),
    Figure("messages that became dead letters", "messages_dead", sum),
    Figure("accept p99, database up (worst fault), ms", "p99_ms", _largest, "< 150", _below(150)),
    Figure("slowest answer of all, ms", "slowest_ms", _largest, "<= 1500", _below(1500.1)),
    Figure("failover of the writer (worst), s", "failover_seconds", _largest),
    Figure(
        "jobs of killed workers in other hands (lease 60 s), s",
        "reclaim_seconds",
        _largest,
        "< 75",
        _below(75),
    ),
    Figure("all jobs ended after healing (worst), s", "healed_seconds", _largest, "<= 120", _below(120.1)),
    Figure("memory of all processes (worst), MB", "total_mb", _largest, "< 1074", _below(1074)),
    Figure(
        "hostile requests answered wrongly, of cases", "hostile_wrong", sum, "0", _none, of="hostile_cases"
    ),
)


def line(verdict: Verdict) -> str:
    """One fault's line."""
    if verdict.left_out:
        return f"{verdict.fault.name:<15} left out: {verdict.left_out}"
    if verdict.fault.by_itself is not None:
        said = ", ".join(
            f"{name} {value:,.0f}" for name, value in verdict.figures.items() if "reached" not in name
        )
        return f"{verdict.fault.name:<15} {'good' if verdict.is_good else '!'}  {said}  ({verdict.seconds:.0f} s)"
    if "unfinished" in verdict.found:
        return f"{verdict.fault.name:<15} ! no figures  ({verdict.seconds:.0f} s)"
    checks = " ".join(f"{check.name}{'!' if check.name in verdict.found else '·'}" for check in CHECKS)
    figures = verdict.figures
    facts = (
        f"{figures.get('acknowledged', 0):.0f} ok, {figures.get('spooled', 0):.0f} spooled,"
        f" {figures.get('unknown', 0):.0f} unknown; p99 {figures.get('p99_ms', 0):.0f} ms,"
        f" slowest {figures.get('slowest_ms', 0):.0f} ms; {figures.get('messages', 0):.0f} messages,"
        f" {figures.get('actions', 0):.0f} actions"
    )
    return f"{verdict.fault.name:<15} {checks}  {facts}  ({verdict.seconds:.0f} s)"


def table(verdicts: Sequence[Verdict]) -> str:
    """The figures over all faults, each with what it should be."""
    lines = [f"{'':<54} {'figure':>20}  goal"]
    for figure in FIGURES:
        value = _value(figure, verdicts)
        if value is None:
            continue
        of = _sum(figure.of, verdicts) if figure.of else None
        text = f"{value:,.6g}" if of is None else f"{value:,.0f} of {of:,.0f}"
        mark = "" if figure.holds(value) else "   <-- missed"
        lines.append(f"{figure.title:<54} {text:>20}  {figure.goal}{mark}")
    return "\n".join(lines)


def problems(verdict: Verdict, most: int = 5) -> list[str]:
    """What the checkers found, a few lines each."""
    titles = {check.name: check.title for check in CHECKS}
    lines = []
    for name, found in verdict.found.items():
        lines += [f"    {name} {titles.get(name, '')}: {text}" for text in found[:most]]
        lines += [f"    {name} ... and {len(found) - most} more"] if len(found) > most else []
    return lines


def write(verdicts: Sequence[Verdict], folder: Path = FOLDER) -> Path:
    """Keep it all; the file."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    file = folder / f"{now:%Y-%m-%d}-{commit()}.json"
    document = {
        "at": now.isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {"cores": cores(), "system": platform.system(), "load_average": os.getloadavg()[0]},
        "versions": versions(),
        "figures": _figures(verdicts),
        "faults": [
            {
                "name": verdict.fault.name,
                "title": verdict.fault.title,
                "seconds": verdict.seconds,
                "left_out": verdict.left_out,
                "found": verdict.found,
                "figures": verdict.figures,
            }
            for verdict in verdicts
        ],
    }
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file


def _figures(verdicts: Sequence[Verdict]) -> dict[str, float]:
    found = {}
    for figure in FIGURES:
        value = _value(figure, verdicts)
        if value is not None:
            found[figure.name] = value
        if value is not None and figure.of:
            found[figure.of] = _sum(figure.of, verdicts)
    return found


def _value(figure: Figure, verdicts: Sequence[Verdict]) -> float | None:
    given = [verdict.figures[figure.name] for verdict in verdicts if figure.name in verdict.figures]
    return figure.over_all(given) if given else None


def _sum(name: str, verdicts: Sequence[Verdict]) -> float:
    return sum(verdict.figures.get(name, 0.0) for verdict in verdicts)

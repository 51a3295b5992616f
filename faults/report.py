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
from faults.run import Verdict
from tests.fakes.tools import ROOT

FOLDER = ROOT / "faults" / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table: what the issue asks for, and how it comes from the figures of all faults."""

    title: str
    name: str
    over_all: Callable[[list[float]], float]
    goal: str
    holds: Callable[[float], bool]


def _largest(values: list[float]) -> float:
    return max(values, default=0.0)


FIGURES = (
    Figure(
        "alerts acknowledged",
        "alerts",
        sum,
        "(1,000,000 for a proof: --minutes, --largest-group)",
        lambda value: True,
    ),
    Figure("acknowledged deliveries lost", "lost", sum, "0", lambda value: value == 0),
    Figure("keys seen with two open incidents", "double_open", sum, "0", lambda value: value == 0),
    Figure("processes killed", "crashes", sum, "(5,000 for a proof)", lambda value: True),
    Figure("double executions", "double_executions", sum, "0", lambda value: value == 0),
    Figure("avoidable duplicate messages", "avoidable_duplicates", sum, "0", lambda value: value == 0),
    Figure("duplicate messages that nobody could avoid", "duplicates", sum, "", lambda value: True),
    Figure("messages that became dead letters", "messages_dead", sum, "", lambda value: True),
    Figure(
        "accept p99, database up (worst fault), ms", "p99_ms", _largest, "< 150", lambda value: value < 150
    ),
    Figure("slowest answer of all, ms", "slowest_ms", _largest, "<= 1500", lambda value: value <= 1500),
    Figure(
        "a message comes again after a worker's death, s",
        "reclaim_seconds",
        _largest,
        "< 75",
        lambda v: v < 75,
    ),
    Figure(
        "all jobs ended after healing, s", "healed_seconds", _largest, "<= 120", lambda value: value <= 120
    ),
    Figure("memory of all processes, MB", "total_mb", _largest, "< 1074", lambda value: value < 1074),
)


def line(verdict: Verdict) -> str:
    """One fault's line."""
    if verdict.left_out:
        return f"{verdict.fault.name:<15} left out: {verdict.left_out}"
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
    lines = [f"{'':<50} {'figure':>10}  goal"]
    for figure in FIGURES:
        value = _value(figure, verdicts)
        mark = "" if figure.holds(value) else "   <-- missed"
        lines.append(f"{figure.title:<50} {value:>10.6g}  {figure.goal}{mark}")
    return "\n".join(lines)


def problems(verdict: Verdict, most: int = 5) -> list[str]:
    """What the checkers found, a few lines each."""
    lines = []
    for check in CHECKS:
        found = verdict.found.get(check.name, [])
        lines += [f"    {check.name} {check.title}: {text}" for text in found[:most]]
        lines += [f"    {check.name} ... and {len(found) - most} more"] if len(found) > most else []
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
        "figures": {figure.name: _value(figure, verdicts) for figure in FIGURES},
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


def _value(figure: Figure, verdicts: Sequence[Verdict]) -> float:
    return figure.over_all(
        [verdict.figures[figure.name] for verdict in verdicts if figure.name in verdict.figures]
    )

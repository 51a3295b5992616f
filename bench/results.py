"""The results as a document, and the file that keeps it: bench/results/<date>-<commit>.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import ROOT
from bench.measures import Measured
from bench.proc import Memory
from bench.run import Run
from bench.scenarios import Scenario
from bench.spread import Spread, spread

FOLDER = ROOT / "bench" / "results"
FORMAT = 1
FIGURES = ("webhooks_per_second", "alerts_per_second", "p50_ms", "p99_ms")


@dataclass(slots=True)
class Line:
    """One scenario with its runs."""

    scenario: Scenario
    runs: list[Run] = field(default_factory=list)

    def figures(self) -> dict[str, Spread]:
        """The figures over all runs."""
        return {name: spread([getattr(run, name) for run in self.runs]) for name in FIGURES}

    def cpu_cores(self) -> dict[str, float]:
        """What each part kept busy, the median over all runs."""
        names = dict.fromkeys(name for run in self.runs for name in run.cpu_cores)
        return {name: spread([run.cpu_cores.get(name, 0.0) for run in self.runs]).median for name in names}

    def busiest_web_cores(self) -> float:
        """What the busiest web process kept busy, the median over all runs: far more than its share means that the
        connections were not spread evenly.
        """
        return spread([max(_web_cores(run), default=0.0) for run in self.runs]).median

    def memory_mb(self) -> dict[str, Memory]:
        """The largest that each process of the receiver was."""
        return largest(run.memory_mb for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.scenario.name,
            "title": self.scenario.title,
            "database": self.scenario.database,
            **{name: asdict(figure) for name, figure in self.figures().items()},
            "cpu_cores": self.cpu_cores(),
            "memory_mb": {name: memory.as_json() for name, memory in self.memory_mb().items()},
            "runs": [run.as_json() for run in self.runs],
        }


@dataclass(slots=True)
class Results:
    """A series: under which conditions, and what it gave."""

    started_at: datetime
    commit: str
    machine: Mapping[str, object]
    versions: Mapping[str, str]
    options: Mapping[str, object]
    databases: Mapping[str, Mapping[str, str]]
    lines: Sequence[Line]
    measured: Sequence[Measured] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "started_at": self.started_at.astimezone(UTC).isoformat(timespec="seconds"),
            "commit": self.commit,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "options": dict(self.options),
            "databases": {name: dict(settings) for name, settings in self.databases.items()},
            "scenarios": [line.as_json() for line in self.lines],
            "measures": [
                {"name": one.measure.name, "title": figure.title, "aim": figure.aim, **asdict(values)}
                for one in self.measured
                for figure, values in one.figures()
            ],
        }


def _web_cores(run: Run) -> list[float]:
    return [cores for name, cores in run.cpu_cores.items() if name.startswith("web ")]


def largest(samples: Iterable[Mapping[str, Memory]]) -> dict[str, Memory]:
    """By process the largest of each figure."""
    found: dict[str, Memory] = {}
    for sample in samples:
        for name, memory in sample.items():
            other = found.get(name, memory)
            found[name] = Memory(
                max(memory.rss, other.rss), max(memory.pss, other.pss), max(memory.peak, other.peak)
            )
    return found


def write(results: Results, folder: Path = FOLDER) -> Path:
    """Keep the results; the file's path. A second series of the same commit on the same day replaces the first."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{results.started_at:%Y-%m-%d}-{results.commit}.json"
    file.write_text(json.dumps(results.as_json(), indent=2) + "\n", encoding="utf-8")
    return file

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
FORMAT = 2
FIGURES = (
    *("webhooks_per_second", "alerts_per_second", "p50_ms", "p99_ms"),
    *("receiver_us_per_alert", "database_us_per_alert", "load_us_per_webhook"),
)


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
            "aims": {name: asdict(aim) for name, aim in self.scenario.aims.items()},
            "cpu_cores": self.cpu_cores(),
            "memory_mb": {name: memory.as_json() for name, memory in self.memory_mb().items()},
            "runs": [run.as_json() for run in self.runs],
        }


@dataclass(slots=True)
class Beside:
    """Another product, under the same load in the same series."""

    name: str
    settings: Mapping[str, str]  # its release and what about it matters for speed
    lines: Sequence[Line]

    def with_figures(self, ours: Sequence[Line]) -> Beside:
        """Only what both products have figures of."""
        known = [line.scenario.name for line in ours if line.runs]
        lines = [line for line in self.lines if line.runs and line.scenario.name in known]
        return Beside(self.name, self.settings, lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "settings": dict(self.settings),
            "scenarios": [line.as_json() for line in self.lines],
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
    failures: Sequence[str] = ()  # of what there are no figures, and why
    took_seconds: Mapping[str, float] = field(
        default_factory=dict
    )  # what each thing took, all repetitions together
    measured: Sequence[Measured] = ()
    beside: Sequence[Beside] = ()

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
                {
                    "name": one.measure.name,
                    "title": figure.title,
                    "aim": asdict(figure.aim) if figure.aim else None,
                    **asdict(values),
                }
                for one in self.measured
                for figure, values in one.figures()
            ],
            "failures": list(self.failures),
            "took_seconds": dict(self.took_seconds),
            "beside": [one.as_json() for one in self.beside],
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


def write(results: Results, file: Path | None = None) -> Path:
    """Keep the results; the file's path. A second series of the same commit on the same day replaces the first."""
    file = file or FOLDER / f"{results.started_at:%Y-%m-%d}-{results.commit}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results.as_json(), indent=2) + "\n", encoding="utf-8")
    return file

"""What is measured besides webhooks: jobs, announcements, rules. Each gives figures that stand for themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import announcing, jobs, rules
from bench.databases import Databases
from bench.spread import Spread, spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one repetition. `aim`: what it should be, in words."""

    title: str
    value: float
    aim: str
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to measure; `take` makes one repetition and may leave its files in the folder if it fails."""

    name: str
    take: Callable[[Databases, Path], Sequence[Figure]]


@dataclass(slots=True)
class Measured:
    """A measure with its repetitions."""

    measure: Measure
    runs: list[Sequence[Figure]] = field(default_factory=list)

    def figures(self) -> list[tuple[Figure, Spread]]:
        """Each figure (as the first repetition names it) with its values over all repetitions."""
        return [
            (figure, spread([run[place].value for run in self.runs]))
            for place, figure in enumerate(self.runs[0])
        ]


def _jobs(databases: Databases, folder: Path) -> Sequence[Figure]:
    rate = jobs.jobs_per_second(databases.get("mariadb"), folder)
    return [Figure(f"jobs that do nothing, {jobs.WORKERS} workers, jobs/s", rate, "5,000")]


def _announcing(databases: Databases, folder: Path) -> Sequence[Figure]:
    found = announcing.delays(databases.get("mariadb"), folder)
    what = f"from the answer to Slack at {found.per_second:.0f} webhooks/s"
    return [
        Figure(f"{what}, p50 ms", found.p50_seconds * 1000, "300"),
        Figure(f"{what}, p99 ms", found.p99_seconds * 1000, "under 2,000"),
    ]


def _rules(databases: Databases, folder: Path) -> Sequence[Figure]:
    cost = rules.measure()
    aim = f"under {rules.TARGET_MICROSECONDS:.0f}"
    return [Figure(f"{cost.rules} rules, us per alert that opens an incident", cost.median, aim, digits=1)]


MEASURES = (Measure("jobs", _jobs), Measure("announcing", _announcing), Measure("rules", _rules))

"""What is measured besides webhooks' rates: each gives figures that stand for themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import announcing, calm, endurance, generator, jobs, rules
from bench.aims import Aim, at_least, under
from bench.bodies import Shape
from bench.databases import Databases
from bench.spread import Spread, spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one repetition; `aim`: what it should be."""

    title: str
    value: float
    aim: Aim | None = None
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to measure; `take` makes one repetition and may leave its files in the folder if it fails.

    `once`: it takes so long that one repetition is all.
    """

    name: str
    take: Callable[[Databases, Path], Sequence[Figure]]
    once: bool = False


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


def _calm(databases: Databases, folder: Path) -> Sequence[Figure]:
    found = calm.calm(databases.get("mariadb"), folder)
    return [
        Figure("a tenth of the top rate, webhooks/s", found.per_second),
        Figure("a tenth of the top rate, p50 ms", found.p50_ms, digits=1),
        Figure("a tenth of the top rate, p99 ms", found.p99_ms, under(10), digits=1),
    ]


def _jobs(databases: Databases, folder: Path) -> Sequence[Figure]:
    rate = jobs.jobs_per_second(databases.get("mariadb"), folder)
    return [Figure(f"jobs that do nothing, {jobs.WORKERS} workers, jobs/s", rate, at_least(5000))]


def _announcing(databases: Databases, folder: Path) -> Sequence[Figure]:
    figures = []
    for weather in (announcing.STEADY, announcing.STORM, announcing.HEAVY_STORM):
        found = announcing.delays(databases.get("mariadb"), folder, weather)
        what = f"answer to Slack, {weather.title}"
        figures += [
            Figure(f"{what}, p50 ms", found.p50_seconds * 1000, under(300)),
            Figure(f"{what}, p99 ms", found.p99_seconds * 1000, under(1000)),
            Figure(f"{what}: answered/s", found.answered_per_second, at_least(0.99 * weather.per_second)),
        ]
    return figures


def _rules(databases: Databases, folder: Path) -> Sequence[Figure]:
    cost = rules.measure()
    title = f"{cost.rules} rules, us per alert that opens an incident"
    return [Figure(title, cost.median, under(rules.TARGET_MICROSECONDS), digits=1)]


def _generator(databases: Databases, folder: Path) -> Sequence[Figure]:
    one, twenty = (generator.limit(shape, folder) for shape in (Shape(), Shape(alerts=20, services=5)))
    return [
        # Three times what is asked of the receiver: then it is not the load that limits.
        Figure("the load alone, one alert a body, requests/s", one.per_second, at_least(10_000)),
        Figure("the load alone, one alert a body, us of CPU a request", one.us_per_request, digits=1),
        Figure("the load alone, 20 alerts a body, alerts/s", 20 * twenty.per_second, at_least(60_000)),
    ]


def _endurance(databases: Databases, folder: Path) -> Sequence[Figure]:
    found = endurance.endure(databases.get("mariadb"), folder)
    after = f"after {found.alerts:,} alerts"
    return [
        Figure(f"{after}, RSS of the largest process, MB", found.largest_mb, under(120)),
        Figure(f"{after}, growth of RSS in the second half, MB", found.growth_mb, under(5), digits=1),
        Figure(f"up to {found.alerts:,} alerts, alerts/s", found.alerts_per_second),
        Figure("fresh keys on empty tables, webhooks/s", found.empty_per_second),
        Figure(
            f"fresh keys {after}, % of that",
            100 * found.full_per_second / found.empty_per_second,
            at_least(90),
        ),
    ]


MEASURES = (
    Measure("calm", _calm),
    Measure("jobs", _jobs),
    Measure("announcing", _announcing, once=True),
    Measure("rules", _rules),
    Measure("generator", _generator, once=True),
    Measure("endurance", _endurance, once=True),
)

"""A series: every scenario in turn, several times over, so that a machine that gets slower does so for all of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench import machine
from bench.databases import Databases
from bench.load import LoadFailed
from bench.measures import Measure, Measured
from bench.proof import ProofFailed
from bench.results import Beside, Line, Results
from bench.run import Effort, Run, run
from bench.scenarios import Scenario

# Beside the private server's data, on a real disk: /tmp may be in memory, where a flush costs nothing.
SCRATCH = machine.ROOT / "var" / "bench"
# What other products are measured by: they decide by other keys, so only what is new to everybody can be compared.
RIVALRY = ("fresh", "group20")


class Rival(Protocol):
    """Another product that takes the same bodies."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Its release, and what about it matters for speed."""

    def run(self, scenario: Scenario, effort: Effort, folder: Path) -> Run:
        """One run, as of the receiver: empty tables, fresh processes, warm-up, load, proof."""

    def stop(self) -> None:
        """End what runs for it."""


def run_series(
    scenarios: Sequence[Scenario],
    measures: Sequence[Measure],
    effort: Effort,
    repetitions: int,
    *,
    binlog: bool = False,
    rivals: Mapping[str, Callable[[Path], Rival]] | None = None,
    tell: Callable[[str], None] = print,
) -> Results:
    """Run everything; `tell` hears of each run when it is done.

    `rivals` run the scenarios of RIVALRY in the same rounds, so that a ratio comes from one series. What fails gives no
    figures, is told in `failures`, and leaves its logs in var/bench; the rest goes on.
    """
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{datetime.now(UTC):%H%M%S}-", dir=SCRATCH))
    facts, started_at = machine.machine(folder), datetime.now(UTC)
    lines = [Line(scenario) for scenario in scenarios]
    others = [Measured(measure) for measure in measures]
    beside: list[tuple[Rival, Beside]] = []
    failures: list[str] = []
    took: dict[str, float] = {}
    databases = Databases(folder, binlog=binlog)
    try:
        for start in (rivals or {}).values():
            rival = start(folder)
            beside.append((rival, Beside(rival.name, rival.settings, _compared(lines))))
        for repetition in range(1, repetitions + 1):
            round_ = _Round(databases, effort, folder, f"{repetition}/{repetitions}", tell, failures, took)
            for line in lines:
                round_.receiver(line)
                for rival, theirs in beside:
                    round_.rival(rival, theirs, line.scenario)
            for other in others:
                if repetition == 1 or not other.measure.once:
                    round_.measure(other)
    finally:
        databases.stop()
        for rival, _ in beside:
            rival.stop()
    if not failures:
        shutil.rmtree(folder)
    return Results(
        started_at=started_at,
        commit=machine.commit(),
        machine=facts,
        versions=machine.versions(),
        options=_options(effort, repetitions, binlog=binlog),
        databases={
            name: {"version": used.version, **used.settings} for name, used in databases.started.items()
        },
        lines=[line for line in lines if line.runs],
        measured=[other for other in others if other.runs],
        beside=[theirs for _, one in beside if (theirs := one.with_figures(lines)).lines],
        failures=failures,
        took_seconds=took,
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """One repetition of everything."""

    databases: Databases
    effort: Effort
    folder: Path
    number: str
    tell: Callable[[str], None]
    failures: list[str]
    took: dict[str, float]  # seconds, by name, all repetitions together

    def receiver(self, line: Line) -> None:
        with self._taking(line.scenario.name):
            database = self.databases.get(line.scenario.database)
            line.runs.append(run(line.scenario, database, self.effort, self.folder))
            self._told(line.scenario.name, line.runs[-1])

    def rival(self, rival: Rival, theirs: Beside, scenario: Scenario) -> None:
        for line in theirs.lines:
            if line.scenario is scenario:
                with self._taking(f"{rival.name}, {scenario.name}"):
                    line.runs.append(rival.run(scenario, self.effort, self.folder))
                    self._told(f"{rival.name}, {scenario.name}", line.runs[-1])

    def measure(self, measured: Measured) -> None:
        with self._taking(measured.measure.name):
            measured.runs.append(measured.measure.take(self.databases, self.folder))
            for figure in measured.runs[-1]:
                value = f"{figure.value:,.{figure.digits}f}"
                self.tell(f"{measured.measure.name} {self.number}: {figure.title}: {value}")

    @contextmanager
    def _taking(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except (
            LoadFailed,
            ProofFailed,
            AssertionError,
        ) as failure:  # an assertion is a process that did not start
            # An assertion about a process goes on with the end of its log.
            self.failures.append(
                f"{name} {self.number}: {str(failure).partition(chr(10))[0]} (logs: {self.folder})"
            )
            self.tell(f"No figures of {self.failures[-1]}")
        self.took[name] = round(self.took.get(name, 0.0) + time.monotonic() - started, 1)

    def _told(self, name: str, done: Run) -> None:
        self.tell(
            f"{name} {self.number}: {done.webhooks_per_second:,.0f} webhooks/s, "
            f"{done.alerts_per_second:,.0f} alerts/s, p50 {done.p50_ms} ms, p99 {done.p99_ms} ms"
        )


def _compared(lines: Sequence[Line]) -> list[Line]:
    return [Line(line.scenario) for line in lines if line.scenario.name in RIVALRY]


def _options(effort: Effort, repetitions: int, *, binlog: bool) -> dict[str, object]:
    return {
        "seconds": effort.seconds,
        "warm_up_seconds": effort.warm_up_seconds,
        "repetitions": repetitions,
        "connections": effort.connections,
        **({"binlog": True} if binlog else {}),
        **effort.settings,
    }

"""A series: every scenario in turn, several times over, so that a machine that gets slower does so for all of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.databases import Databases
from bench.measures import Measure, Measured
from bench.results import Line, Results
from bench.run import Effort, run
from bench.scenarios import Scenario

# Beside the private server's data, on a real disk: /tmp may be in memory, where a flush costs nothing.
SCRATCH = machine.ROOT / "var" / "bench"


def run_series(
    scenarios: Sequence[Scenario],
    measures: Sequence[Measure],
    effort: Effort,
    repetitions: int,
    *,
    binlog: bool = False,
    tell: Callable[[str], None] = print,
) -> Results:
    """Run everything; `tell` hears of each run when it is done. Raises what run() raises.

    The receiver's logs of a run that failed are left in var/bench.
    """
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{datetime.now(UTC):%H%M%S}-", dir=SCRATCH))
    facts, started_at = machine.machine(folder), datetime.now(UTC)
    lines = [Line(scenario) for scenario in scenarios]
    others = [Measured(measure) for measure in measures]
    databases = Databases(folder, binlog=binlog)
    try:
        for repetition in range(1, repetitions + 1):
            for line in lines:
                done = run(line.scenario, databases.get(line.scenario.database), effort, folder)
                line.runs.append(done)
                tell(
                    f"{line.scenario.name} {repetition}/{repetitions}: {done.webhooks_per_second:,.0f} webhooks/s, "
                    f"{done.alerts_per_second:,.0f} alerts/s, p50 {done.p50_ms} ms, p99 {done.p99_ms} ms"
                )
            for other in others:
                other.runs.append(other.measure.take(databases, folder))
                for figure in other.runs[-1]:
                    value = f"{figure.value:,.{figure.digits}f}"
                    tell(f"{other.measure.name} {repetition}/{repetitions}: {figure.title}: {value}")
    finally:
        databases.stop()
    shutil.rmtree(folder)
    return Results(
        started_at=started_at,
        commit=machine.commit(),
        machine=facts,
        versions=machine.versions(),
        options=_options(effort, repetitions),
        databases={
            name: {"version": used.version, **used.settings} for name, used in databases.started.items()
        },
        lines=lines,
        measured=others,
    )


def _options(effort: Effort, repetitions: int) -> dict[str, object]:
    return {
        "seconds": effort.seconds,
        "warm_up_seconds": effort.warm_up_seconds,
        "repetitions": repetitions,
        "connections": effort.connections,
        **effort.settings,
    }

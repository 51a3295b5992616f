"""One run: an empty database, fresh processes, a warm-up that does not count, load, the proof, and what it all took."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.bodies import Requests
from bench.databases import Database
from bench.load import Driven, Load
from bench.proc import Memory, busy_seconds, cpu_seconds_of, memory_of
from bench.proof import prove
from bench.scenarios import Scenario
from bench.spread import percentile
from bench.subject import Subject


@dataclass(frozen=True, slots=True)
class Effort:
    """How a run is made."""

    seconds: float
    warm_up_seconds: float
    connections: int
    settings: Mapping[str, str] = field(default_factory=dict)  # of the receiver, by variable


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave. Proven: the database held exactly what was acknowledged."""

    seconds: float
    webhooks: int
    webhooks_per_second: float
    alerts_per_second: float
    p50_ms: float
    p99_ms: float
    slowest_ms: float
    cpu_cores: dict[
        str, float
    ]  # how many cores each part kept busy: load, database, the receiver's processes, others
    memory_mb: dict[str, Memory]  # of the receiver's processes, after the load

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def run(scenario: Scenario, database: Database, effort: Effort, folder: Path) -> Run:
    """Make one run; `folder` takes the receiver's files and logs, which stay there if it fails.

    Raises LoadFailed and ProofFailed, AssertionError where the receiver does not start, OSError.
    """
    own = Path(tempfile.mkdtemp(prefix=f"{scenario.name}-", dir=folder))
    url = database.create()
    with Subject(url, own, effort.settings) as subject:
        requests, serials = Requests(scenario.shape, token=subject.token), scenario.serials()
        # Connections of its own: all processes of the receiver are up when those that count are made.
        with Load(subject.address, effort.connections) as load:
            warm_up = load.drive(requests, serials, effort.warm_up_seconds)
        with Load(subject.address, effort.connections) as load:
            meter = _Meter(subject, database)
            driven = load.drive(requests, serials, effort.seconds)
            used, memory = meter.cpu_cores(), meter.memory()
    prove(url, scenario.shape, [*warm_up.serials, *driven.serials])
    database.drop(url)
    shutil.rmtree(own)
    return _figures(scenario, driven, used, memory)


class _Meter:
    """Measures, from its making on, what the parts take."""

    def __init__(self, subject: Subject, database: Database) -> None:
        self._receiver = subject.pids()
        self._groups = {
            "load": [os.getpid()],
            "database": database.pids(),
            **{name: [pid] for name, pid in self._receiver.items()},
        }
        self._started = time.perf_counter()
        self._before = self._sample()

    def cpu_cores(self) -> dict[str, float]:
        """How many cores each part has kept busy so far, and `others`: what was none of ours."""
        elapsed = time.perf_counter() - self._started
        now = self._sample()
        used = {name: (now[name] - self._before[name]) / elapsed for name in now}
        busy = used.pop("busy")
        return {
            name: round(cores, 3)
            for name, cores in (used | {"others": max(0.0, busy - sum(used.values()))}).items()
        }

    def memory(self) -> dict[str, Memory]:
        found = {name: memory_of(pid) for name, pid in self._receiver.items()}
        return {name: memory for name, memory in found.items() if memory is not None}

    def _sample(self) -> dict[str, float]:
        return {"busy": busy_seconds()} | {name: cpu_seconds_of(pids) for name, pids in self._groups.items()}


def _figures(scenario: Scenario, driven: Driven, used: dict[str, float], memory: dict[str, Memory]) -> Run:
    rate = len(driven.serials) / driven.seconds
    in_order = sorted(driven.latencies)
    return Run(
        seconds=round(driven.seconds, 3),
        webhooks=len(driven.serials),
        webhooks_per_second=round(rate, 1),
        alerts_per_second=round(rate * scenario.shape.alerts, 1),
        p50_ms=round(percentile(in_order, 50) / 1e6, 2),
        p99_ms=round(percentile(in_order, 99) / 1e6, 2),
        slowest_ms=round(in_order[-1] / 1e6, 2),
        cpu_cores=used,
        memory_mb=memory,
    )

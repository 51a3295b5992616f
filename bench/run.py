"""One run: an empty database, fresh processes, a warm-up that does not count, load, the proof, and what it all took."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bench.bodies import Requests
from bench.databases import Database
from bench.load import Driven, Load
from bench.meter import Meter
from bench.proc import Memory
from bench.proof import prove
from bench.scenarios import Scenario
from bench.spread import percentile
from bench.subject import Subject

# The parts of cpu_cores that are not the processes under load.
_AROUND = ("load", "database", "others")


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
    # How many cores each part kept busy: load, database, the processes under load one by one, others.
    cpu_cores: dict[str, float]
    memory_mb: dict[str, Memory]  # of the processes under load, after it
    spooled: int = 0  # of all webhooks, those of the warm-up included: what the database did not take in time

    @property
    def receiver_us_per_alert(self) -> float:
        """Microseconds of CPU that all processes under load take for each alert."""
        cores = sum(used for part, used in self.cpu_cores.items() if part not in _AROUND)
        return round(cores / self.alerts_per_second * 1e6, 1)

    @property
    def database_us_per_alert(self) -> float:
        """Microseconds of CPU that the database takes for each alert."""
        return round(self.cpu_cores.get("database", 0.0) / self.alerts_per_second * 1e6, 1)

    @property
    def load_us_per_webhook(self) -> float:
        """Microseconds of CPU that the load itself takes for each webhook."""
        return round(self.cpu_cores.get("load", 0.0) / self.webhooks_per_second * 1e6, 1)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Server(Protocol):
    """What is under load."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""

    def pids(self) -> dict[str, int]:
        """Its processes by what they do."""


def run(scenario: Scenario, database: Database, effort: Effort, folder: Path) -> Run:
    """Make one run; `folder` takes the receiver's files and logs, which stay there if it fails.

    Raises LoadFailed and ProofFailed, AssertionError where the receiver does not start, OSError.
    """
    own = Path(tempfile.mkdtemp(prefix=f"{scenario.name}-", dir=folder))
    url = database.create()
    with Subject(url, own, effort.settings) as subject:
        requests = Requests(scenario.shape, token=subject.token)
        done, serials = put_under_load(subject, database.pids(), scenario, requests, effort)
        done = replace(done, spooled=subject.settle())
    prove(url, scenario.shape, serials)
    database.drop(url)
    shutil.rmtree(own)
    return done


def put_under_load(
    server: Server,
    database: Sequence[int],
    scenario: Scenario,
    requests: Requests,
    effort: Effort,
    *,
    status: int = 200,
) -> tuple[Run, list[int]]:
    """Warm up and measure; also the serial numbers that were acknowledged, those of the warm-up first.

    `database`: its processes; `status`: what the server answers when it has taken a request. Raises LoadFailed.
    """
    serials = scenario.serials()
    warm: list[int] = []
    # A few first: all of them at once with 500 alerts each, a cold receiver would spool, and be kept spooling.
    for connections in (max(1, effort.connections // 4), effort.connections):
        # Connections of its own: all processes of the server are up when those that count are made.
        with Load(server.address, connections, status=status) as load:
            warm += load.drive(requests, serials, effort.warm_up_seconds / 2).serials
    with Load(server.address, effort.connections, status=status) as load:
        meter = Meter(server.pids(), database)
        driven = load.drive(requests, serials, effort.seconds)
        done = _figures(scenario, driven, meter)
    return done, [*warm, *driven.serials]


def _figures(scenario: Scenario, driven: Driven, meter: Meter) -> Run:
    used, memory = meter.cpu_cores(), meter.memory()
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

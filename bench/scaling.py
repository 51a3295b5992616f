"""What more receivers give: `python -m bench.scaling`.

One, two and four receivers (`receiver serve` with one web process, and a worker, each with a spool of its own), each
pinned to a core, over one private MariaDB; the same over three Galera nodes behind haproxy; and how many bytes an alert
takes. On n hosts each receiver has a host to itself; here all share the cores, with the database and with the load.
With `--core-share 0.2` each may use that much of a core and no more: small hosts, of which several fit on one machine.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import click
import sqlalchemy

from bench import core_share as cgroups
from bench.bodies import Requests
from bench.databases import Database, MariaDBServer, migrate
from bench.load import Load
from bench.machine import commit
from bench.meter import Meter
from bench.proof import prove
from bench.report import table
from bench.scenarios import SCENARIOS, Scenario, scenario_named
from bench.series import SCRATCH
from bench.spread import percentile, spread
from bench.subject import Subject
from tests.fakes.galera import Galera
from tests.fakes.tools import MissingTool

COUNTS = (1, 2, 4)
# Of each receiver. What waits in one process at the same time shares a transaction: fewer for each would make every
# webhook dearer, and hide what another receiver gives.
CONNECTIONS = 16
WARM_UP_SECONDS = 2.0
_LIKE_PRODUCTION = ("--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M")
_TABLES_SQL = """
SELECT table_name, data_length + index_length FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'
"""


class GaleraServer:
    """Three nodes behind haproxy, one of which takes all writes."""

    def __init__(self) -> None:
        self._galera = Galera(options=_LIKE_PRODUCTION)
        self._galera.__enter__()
        self._numbers = itertools.count(1)
        self.settings = {"nodes": "3", "innodb_flush_log_at_trx_commit": "1"}
        self.version = self._galera.nodes[0].version()

    def create(self) -> str:
        url = self._galera.create_database(f"bench_{next(self._numbers)}")
        migrate(url)
        return url

    def drop(self, url: str) -> None:
        with self._galera.nodes[0].connect() as connection:
            connection.cursor().execute(f"DROP DATABASE {sqlalchemy.make_url(url).database}")

    def pids(self) -> list[int]:
        return self._galera.pids()

    def counters(self) -> dict[str, int]:
        return {}

    def stop(self) -> None:
        self._galera.stop()


@dataclass(frozen=True, slots=True)
class Sum:
    """What all receivers together did in one run. `cores`: kept busy by receivers, database and load."""

    webhooks_per_second: float
    alerts_per_second: float
    p99_ms: float
    spooled: int
    cores: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Share:
    """What one load saw."""

    serials: Sequence[int]
    latencies: Sequence[int]
    warm_up: Sequence[int]
    started: float
    ended: float
    cpu_seconds: float


_together: Barrier | None = None  # of the processes that send


def _join(barrier: Barrier) -> None:
    global _together
    _together = barrier


def _send(
    address: tuple[str, int],
    token: str,
    scenario: Scenario,
    turn: tuple[int, int],
    connections: int,
    seconds: float,
) -> _Share:
    """In a process of its own: load for one receiver. `turn`: which of how many, for its serial numbers."""
    assert _together is not None
    requests = Requests(scenario.shape, token=token)
    serials = itertools.islice(scenario.serials(), turn[0], None, turn[1])
    with Load(address, connections) as load:
        warm_up = load.drive(requests, serials, WARM_UP_SECONDS)
    with Load(address, connections) as load:
        _together.wait(60)
        cpu, started = time.process_time(), time.time()
        driven = load.drive(requests, serials, seconds)
        ended = time.time()
    return _Share(
        driven.serials.tolist(),
        driven.latencies.tolist(),
        warm_up.serials.tolist(),
        started,
        ended,
        time.process_time() - cpu,
    )


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """What is started meanwhile stays on this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(
    count: int,
    scenario: Scenario,
    database: Database,
    seconds: float,
    folder: Path,
    *,
    connections: int = CONNECTIONS,
    share: float | None = None,
) -> Sum:
    """One run with that many receivers over an empty database, each pinned to a core or with `share` of one.

    `connections`: of each of them.

    Raises LoadFailed, ProofFailed, AssertionError where a receiver does not start.
    """
    own = Path(tempfile.mkdtemp(prefix=f"scaling-{count}-", dir=folder))
    url, cores = database.create(), sorted(os.sched_getaffinity(0))
    with ExitStack() as parts:
        subjects = []
        for number in range(count):
            (own / str(number)).mkdir()
            pinned = _pinned(cores[number % len(cores)]) if share is None else nullcontext()
            group = parts.enter_context(cgroups.core_share(str(number), share)) if share else None
            with pinned:
                subject = Subject(url, own / str(number), {"RECEIVER_WEB_WORKERS": "1"})
                subjects.append(parts.enter_context(subject))
            if group is not None:  # not before it has started, which would take half a minute
                cgroups.confine(group, subject.pids().values())
        done, serials = _drive(subjects, scenario, database, seconds, connections)
    prove(url, scenario.shape, serials)
    database.drop(url)
    shutil.rmtree(own)
    return done


def _drive(
    subjects: Sequence[Subject], scenario: Scenario, database: Database, seconds: float, connections: int
) -> tuple[Sum, list[int]]:
    count, context = len(subjects), multiprocessing.get_context("spawn")
    barrier = context.Barrier(count + 1)
    with ProcessPoolExecutor(count, mp_context=context, initializer=_join, initargs=(barrier,)) as pool:
        sends = [
            pool.submit(_send, one.address, one.token, scenario, (n, count), connections, seconds)
            for n, one in enumerate(subjects)
        ]
        barrier.wait(120)
        pids = {f"{n} {name}": pid for n, one in enumerate(subjects) for name, pid in one.pids().items()}
        meter = Meter(pids, database.pids())
        time.sleep(seconds)
        used = meter.cpu_cores()
        shares = [one.result() for one in sends]
    spooled = sum(one.settle() for one in subjects)
    took = max(share.ended for share in shares) - min(share.started for share in shares)
    rate = sum(len(share.serials) for share in shares) / took
    latencies = sorted(itertools.chain.from_iterable(share.latencies for share in shares))
    receivers = sum(cores for name, cores in used.items() if name in pids)
    load = sum(share.cpu_seconds for share in shares) / took
    done = Sum(
        webhooks_per_second=rate,
        alerts_per_second=rate * scenario.shape.alerts,
        p99_ms=percentile(latencies, 99) / 1e6,
        spooled=spooled,
        cores={"receivers": receivers, "database": used["database"], "load": load},
    )
    return done, [serial for share in shares for serial in (*share.warm_up, *share.serials)]


def bytes_per_alert(scenario: Scenario, database: Database, webhooks: int, folder: Path) -> dict[str, float]:
    """Bytes that the database takes for an alert, by table (with indexes); `body`: of what was sent, for comparison."""
    url = database.create()
    own = Path(tempfile.mkdtemp(prefix="stored-bytes-", dir=folder))
    requests_bytes = 0
    with Subject(url, own, {}) as subject:
        requests = Requests(scenario.shape, token=subject.token)
        requests_bytes = requests.body_bytes
        serials = itertools.islice(scenario.serials(), webhooks)
        with Load(subject.address, CONNECTIONS) as load:
            sent = len(load.drive(requests, serials, 600).serials)
        subject.settle()
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            names = [row[0] for row in connection.exec_driver_sql(_TABLES_SQL)]
            connection.exec_driver_sql("ANALYZE TABLE " + ", ".join(names))
            sizes = {str(name): int(size) for name, size in connection.exec_driver_sql(_TABLES_SQL)}
    finally:
        engine.dispose()
    database.drop(url)
    shutil.rmtree(own)
    alerts = sent * scenario.shape.alerts
    found = {name: size / alerts for name, size in sizes.items() if size / alerts >= 1}
    return {"body": requests_bytes / scenario.shape.alerts, "all": sum(sizes.values()) / alerts, **found}


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--seconds", default=6.0, show_default=True, help="How long each run is measured.")
@click.option("--repetitions", default=3, show_default=True, help="Runs of each line, in turns.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([one.name for one in SCENARIOS if one.database == "mariadb"]),
    help="Bodies as in `make bench`. Default: fresh, repeats, group20.",
)
@click.option("--receivers", multiple=True, type=int, help="How many. Default: 1, 2 and 4.")
@click.option("--on", "where", multiple=True, type=click.Choice(["mariadb", "galera"]), help="Default: both.")
@click.option(
    "--core-share",
    type=click.FloatRange(0.1, 1.0),
    help="So much of a core for each receiver, instead of pinning it. Needs root.",
)
@click.option(
    "--connections",
    default=CONNECTIONS,
    show_default=True,
    help="To each receiver, sending at the same time.",
)
@click.option("--stored", default=60_000, show_default=True, help="Alerts to weigh; 0: none.")
def main(
    seconds: float,
    repetitions: int,
    only: tuple[str, ...],
    receivers: tuple[int, ...],
    where: tuple[str, ...],
    core_share: float | None,
    connections: int,
    stored: int,
) -> None:
    """Measure several receivers over one database and over a Galera cluster, and what an alert takes on disk."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scaling-", dir=SCRATCH))
    scenarios = [scenario_named(name) for name in only or ("fresh", "repeats", "group20")]
    cores = len(os.sched_getaffinity(0))
    click.echo(f"{commit()}, {cores} cores, load average {os.getloadavg()[0]:.1f} at the beginning")
    for place in where or ("mariadb", "galera"):
        try:
            database: Database = GaleraServer() if place == "galera" else MariaDBServer()
        except MissingTool as missing:
            raise click.ClickException(str(missing)) from None
        try:
            click.echo(f"\n{place} {database.version}")
            run = partial(
                measure,
                database=database,
                seconds=seconds,
                folder=folder,
                connections=connections,
                share=core_share,
            )
            click.echo(_rates(run, scenarios, receivers or COUNTS, repetitions))
            if stored and place == "mariadb":
                click.echo("\nBytes an alert takes, indexes included")
                click.echo(_weights(scenarios, database, stored, folder))
        finally:
            database.stop()
    shutil.rmtree(folder)


def _rates(
    run: Callable[[int, Scenario], Sum],
    scenarios: Sequence[Scenario],
    counts: Sequence[int],
    repetitions: int,
) -> str:
    found: dict[tuple[str, int], list[Sum]] = {}
    for _ in range(repetitions):
        for scenario, count in itertools.product(scenarios, counts):
            done = run(count, scenario)
            click.echo(f"{scenario.name}, receivers: {count}: {done.webhooks_per_second:,.0f} webhooks/s")
            found.setdefault((scenario.name, count), []).append(done)
    head = (
        "bodies",
        "receivers",
        "webhooks/s",
        "alerts/s",
        "p99 ms",
        "spooled",
        "cores: receivers, database, load",
    )
    lines = []
    for (name, count), runs in found.items():
        cores = [f"{spread([run.cores[part] for run in runs]).median:.2f}" for part in runs[0].cores]
        lines.append(
            (
                name,
                str(count),
                f"{spread([run.webhooks_per_second for run in runs]).median:,.0f}",
                f"{spread([run.alerts_per_second for run in runs]).median:,.0f}",
                f"{spread([run.p99_ms for run in runs]).median:.0f}",
                str(sum(run.spooled for run in runs)),
                ", ".join(cores),
            )
        )
    return table(head, lines)


def _weights(scenarios: Sequence[Scenario], database: Database, alerts: int, folder: Path) -> str:
    lines = []
    for scenario in scenarios:
        weighed = bytes_per_alert(scenario, database, alerts // scenario.shape.alerts, folder)
        parts = sorted(
            ((size, name) for name, size in weighed.items() if name not in ("body", "all")), reverse=True
        )
        of_which = ", ".join(f"{name} {size:,.0f}" for size, name in parts[:6])
        lines.append((scenario.name, f"{weighed['body']:,.0f}", f"{weighed['all']:,.0f}", of_which))
    return table(("bodies", "body", "stored", "of which"), lines)


if __name__ == "__main__":
    main()

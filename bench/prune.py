"""`python -m bench.prune`: what senders notice while retention removes a million alerts with all that belongs to them.

A private MariaDB is filled with old incidents (ten alerts each, their deliveries with bodies, events, episodes,
messages) and old alerts of no incident. Then webhooks come at a steady rate, first alone, then while the rows go.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import sqlalchemy

from bench.bodies import Requests, Shape
from bench.databases import MariaDBServer
from bench.load import Load, LoadFailed
from bench.machine import ROOT
from bench.spread import percentile
from bench.subject import Subject
from receiver.services.check import check_database
from receiver.storage.engine import create_engine
from tests.fakes.processes import Process, environment

_AT_ONCE = 20_000
_KEPT_DAYS = "30"
_SETTINGS = {f"RECEIVER_KEEP_{what}_DAYS": _KEPT_DAYS for what in ("BODIES", "ALERTS", "INCIDENTS")}
_STRETCH_SECONDS, _CONNECTIONS = 5.0, 24
_TARGET_MS = 100.0

_OLD_ROWS = Path(__file__).with_name("old_rows.sql")
_SEQUENCE = "seq_{first}_to_{last}"  # MariaDB's
_PER = re.compile(r"-- per (\d+)\n(.*?);", re.DOTALL)


def fill(url: str, alerts: int, *, at_once: int = _AT_ONCE, numbers: str = _SEQUENCE) -> None:
    """So many old alerts, and what belongs to them. `numbers`: how this database counts from {first} to {last}."""
    given: dict[str, Any] = {
        "at": datetime.now(UTC).replace(tzinfo=None) - timedelta(days=400),
        "body": Requests(Shape(alerts=2), token="").make(0).partition(b"\r\n\r\n")[2],
        "labels": json.dumps({"alertname": "Old", "pod": "web-0", "severity": "warning"}),
        "raw": "{}" + " " * 400,
    }
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("SET SESSION unique_checks = 0, SESSION foreign_key_checks = 0")
        for share, statement in _PER.findall(_OLD_ROWS.read_text()):
            rows = alerts // int(share)
            for first in range(1, rows + 1, at_once):
                last = min(first + at_once - 1, rows)
                one = statement.replace("NUMBERS", numbers.format(first=first, last=last))
                used = {name: value for name, value in given.items() if f":{name}" in one}
                connection.execute(sqlalchemy.text(one), used)
        connection.exec_driver_sql(
            "ANALYZE TABLE deliveries, incidents, grafana_alerts, alert_episodes, notifications, events"
        ).all()
    engine.dispose()


class Steady:
    """Webhooks at a steady rate, and how long their answers took."""

    def __init__(self, subject: Subject, per_second: float) -> None:
        self._address = subject.address
        self._requests = Requests(Shape(fresh_services=False), token=subject.token)
        self._serials: Iterator[int] = itertools.count(1)
        self._per_second = per_second

    def drive(self, seconds: float) -> array[int]:
        """Send for that long; the latencies in nanoseconds, each from the moment at which its request was due."""
        found, until = array("q"), time.monotonic() + seconds
        while time.monotonic() < until:
            # New connections for each stretch: the receiver closes those that have nothing to do for long.
            with Load(self._address, _CONNECTIONS) as load, _refusals_told():
                driven = load.drive_paced(self._requests, self._serials, _STRETCH_SECONDS, self._per_second)
            found.extend(driven.latencies)
        return found

    def drive_while(self, process: Process, most_seconds: float) -> array[int]:
        """The same until the process has ended."""
        found, until = array("q"), time.monotonic() + most_seconds
        while process.returncode() is None:
            if time.monotonic() > until:
                raise click.ClickException(
                    f"not through after {most_seconds:g} s:\n{process.output()[-2000:]}"
                )
            found.extend(self.drive(_STRETCH_SECONDS))
        return found


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except LoadFailed as failure:
        raise click.ClickException(f"a webhook was refused, so nothing is proven: {failure}") from failure


def _told(name: str, latencies: array[int]) -> float:
    p50, p99 = (percentile(latencies, percent) / 1e6 for percent in (50, 99))
    click.echo(
        f"{name:28} {len(latencies):7,} webhooks   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   "
        f"max {max(latencies) / 1e6:6.1f} ms"
    )
    return p99


def _told_of_pruner(process: Process) -> None:
    if process.returncode() != 0:
        raise click.ClickException(f"the pruner failed:\n{process.output()[-3000:]}")
    told = json.loads(process.output().splitlines()[-1])
    rows = sum(told["rows"].values())
    click.echo(
        f"removed {rows:,} rows in {told['seconds']:.0f} s: {rows / told['seconds']:,.0f} rows/s, "
        f"{told['cpu_seconds'] / rows * 1e6:.0f} us of the pruner's CPU each"
    )
    click.echo("  " + ", ".join(f"{number:,} {name}" for name, number in sorted(told["rows"].items())))
    low, middle, high = told["batch_rows"]
    p50, p99, longest = told["batch_ms"]
    click.echo(
        f"  {told['batches']:,} batches; rows in a batch p1 {low}, p50 {middle}, p99 {high}; "
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {longest:.0f} ms"
    )


@click.command()
@click.option("--alerts", default=1_000_000, show_default=True, help="Old alerts to remove.")
@click.option("--per-second", default=300.0, show_default=True, help="Webhooks a second.")
@click.option("--seconds", default=30.0, show_default=True, help="How long without pruning.")
@click.option("--most-seconds", default=3 * 3600.0, show_default=True, help="How long pruning may take.")
@click.option("--archive", is_flag=True, help="Archive what goes before it is removed.")
@click.option("--binlog", is_flag=True, help="With the binary log on.")
def main(
    alerts: int, per_second: float, seconds: float, most_seconds: float, archive: bool, binlog: bool
) -> None:
    """Intake's latency without and with a prune beside it; exit status 1 if p99 is above the mark then."""
    database = MariaDBServer(binlog=binlog)
    try:
        with tempfile.TemporaryDirectory() as folder:
            url = database.create()
            started = time.monotonic()
            fill(url, alerts)
            click.echo(f"{alerts:,} old alerts made in {time.monotonic() - started:.0f} s")
            # No housekeeping of the worker's own: it would begin five minutes after its start.
            with Subject(url, Path(folder) / "receiver", {}) as subject:
                steady = Steady(subject, per_second)
                steady.drive(min(5.0, seconds))  # what is loaded and compiled at first use does not count
                _told("without pruning", steady.drive(seconds))
                to = [str(Path(folder) / "archive")] if archive else []
                env = environment({"RECEIVER_DATABASE_URL": url, "PYTHONPATH": str(ROOT), **_SETTINGS})
                command = [sys.executable, "-m", "bench.pruner", *to]
                with Process(command, folder=Path(folder), env=env, name="pruner") as pruner:
                    p99 = _told(
                        f"while pruning{' to an archive' if archive else ''}",
                        steady.drive_while(pruner, most_seconds),
                    )
                    _told_of_pruner(pruner)
                _told("afterwards", steady.drive(min(10.0, seconds)))
            engine = create_engine(url)
            is_clean = check_database(engine).is_clean
            engine.dispose()
            click.echo(f"receiver db check: {'clean' if is_clean else 'NOT CLEAN'}")
    finally:
        database.stop()
    if p99 > _TARGET_MS or not is_clean:
        sys.exit(1)


if __name__ == "__main__":
    main()

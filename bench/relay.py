"""`python -m bench.relay`: how many events a second go from the outbox to a NATS server, and what that takes.

A real nats-server beside it (its defaults for flushing, file storage), events of the size that a storm makes, and the
relay in a worker's process alone: fetch, publish, wait for each acknowledgement, mark. Prints a line for each shape:

    fresh    every event of an incident of its own: all of a batch go out side by side
    storm    100 incidents
    hot      one incident: each event waits for the acknowledgement of the one before
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import Connection, func, select

from bench.databases import Database, MariaDBServer
from bench.proc import cpu_seconds_of
from receiver.clock import utc_now
from receiver.config import load
from receiver.domain.events import Event, EventType
from receiver.runtime import build_runtime
from receiver.services.publish import PublishHandler, stand_by
from receiver.storage.events import insert_many
from receiver.storage.tables import events
from receiver.worker.dispatcher import claim
from tests.fakes.nats_server import NatsServer

_PAYLOAD = {"fingerprint": "0123456789abcdef", "alertname": "HighErrorRate", "status": "firing", "count": 1}
_CHUNK = 1000
_SHAPES: dict[str, Callable[[int], int]] = {
    "fresh": lambda n: n,
    "storm": lambda n: n % 100,
    "hot": lambda n: 0,
}


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one run gave. CPU in cores kept busy: the relay itself, the database server, the broker."""

    shape: str
    events: int
    events_per_second: float
    relay_cores: float
    database_cores: float
    broker_cores: float


def run(shape: str, number: int, database: Database, server: NatsServer) -> Relayed:
    """Relay `number` events of one shape; raises AssertionError unless all of them were acknowledged and marked."""
    url = database.create()
    runtime = build_runtime(load({"RECEIVER_DATABASE_URL": url, "RECEIVER_BROKER_URL": server.url}))
    try:
        stand_by(runtime)
        with runtime.engine.begin() as connection:
            _fill(connection, shape, number)
        handler = PublishHandler(runtime)
        (job,) = claim(runtime.engine, "publish", 1, 600, "bench")
        pids = {"database": database.pids(), "broker": [server.process.pid]}
        before = {name: cpu_seconds_of(group) for name, group in pids.items()}
        started, own = time.monotonic(), time.process_time()
        while handler.run(job).outcome.reason == "there is more to publish":
            pass
        seconds, used = time.monotonic() - started, time.process_time() - own
        after = {name: cpu_seconds_of(group) for name, group in pids.items()}
        with runtime.engine.begin() as connection:
            left = select(func.count()).select_from(events).where(events.c.published_at.is_(None))
            assert connection.execute(left).scalar_one() == 0
    finally:
        runtime.close()
        database.drop(url)
    cores = {name: (after[name] - before[name]) / seconds for name in pids}
    return Relayed(shape, number, number / seconds, used / seconds, cores["database"], cores["broker"])


def _fill(connection: Connection, shape: str, number: int) -> None:
    incident = _SHAPES[shape]
    for start in range(0, number, _CHUNK):
        insert_many(
            connection,
            [
                Event(
                    EventType.ALERT_RAISED,
                    utc_now(),
                    "alertmanager",
                    f"{n:032x}",
                    f"INC-20260101000000-{incident(n):016x}",
                    alert_id=f"{n:026d}",
                    payload=_PAYLOAD,
                )
                for n in range(start, min(number, start + _CHUNK))
            ],
        )


@click.command()
@click.option("--events", "number", default=20_000, show_default=True, help="Events of each shape.")
def main(number: int) -> None:
    """How many events a second are relayed to NATS."""
    database = MariaDBServer()
    try:
        for shape in _SHAPES:
            # A server for each: message ids begin at 1 again with each database, and it would remember them.
            with (
                tempfile.TemporaryDirectory() as folder,
                NatsServer(Path(folder), is_durable=False) as server,
            ):
                done = run(shape, number, database, server)
            click.echo(
                f"{done.shape:6} {done.events_per_second:7.0f} events/s   CPU cores: relay {done.relay_cores:.2f},"
                f" database {done.database_cores:.2f}, broker {done.broker_cores:.2f}"
            )
    finally:
        database.stop()


if __name__ == "__main__":
    main()

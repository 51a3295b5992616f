"""A million alerts into one receiver: whether its memory stays flat, and whether a full table slows it down."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from bench.bodies import Requests, Shape
from bench.databases import Database
from bench.load import Load
from bench.meter import Meter
from bench.proof import ProofFailed
from bench.subject import Subject
from receiver.storage.engine import create_engine, reading
from receiver.storage.tables import deliveries, grafana_alerts

ALERTS = 1_000_000
_BODY = Shape(alerts=100, services=5)
_STRETCHES = 10
_CONNECTIONS = 8
_RATE_SECONDS = 4.0
_LONGEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Endured:
    """What became of one receiver."""

    alerts: int
    alerts_per_second: float
    largest_mb: float  # RSS of its largest process, at any time
    growth_mb: float  # how much the process that grew most in the second half did so
    empty_per_second: float  # webhooks with one fresh key each: on empty tables,
    full_per_second: float  # and when all was stored
    rss_mb: list[dict[str, float]]  # by process, after each tenth


def endure(
    database: Database,
    folder: Path,
    *,
    alerts: int = ALERTS,
    rate_seconds: float = _RATE_SECONDS,
    connections: int = _CONNECTIONS,
) -> Endured:
    """Send that many alerts, 100 in a body.

    Raises LoadFailed; ProofFailed where rows are missing or too many, and where the database was too slow for the
    receiver's patience, so that webhooks went into the spool instead.
    """
    own = Path(tempfile.mkdtemp(prefix="endurance-", dir=folder))
    url = database.create()
    singles, groups = itertools.count(1), itertools.count(1)
    bodies = max(_STRETCHES, alerts // _BODY.alerts)
    seconds, rss = 0.0, []
    with Subject(url, own, {}) as subject, Load(subject.address, connections) as load:
        single, group = Requests(Shape(), token=subject.token), Requests(_BODY, token=subject.token)
        _rate(load, single, singles, rate_seconds / 2)  # a warm-up
        empty = _rate(load, single, singles, rate_seconds)
        meter = Meter(subject.pids(), database.pids())
        for _ in range(_STRETCHES):
            serials = itertools.islice(groups, bodies // _STRETCHES)
            seconds += load.drive(group, serials, _LONGEST_SECONDS).seconds
            rss.append({name: memory.rss for name, memory in meter.memory().items()})
            if spooled := subject.spooled():
                raise ProofFailed(f"{spooled:,} webhooks went by the spool: the database was too slow")
        full = _rate(load, single, singles, rate_seconds)
        subject.settle()
    _prove(url, singles=next(singles) - 1, groups=next(groups) - 1)
    database.drop(url)
    shutil.rmtree(own)
    sent = bodies // _STRETCHES * _STRETCHES * _BODY.alerts
    return Endured(sent, sent / seconds, largest(rss), growth(rss), empty, full, rss)


def largest(rss: list[dict[str, float]]) -> float:
    """The most that any process took at any time; 0 where the system does not tell."""
    return max((size for sample in rss for size in sample.values()), default=0.0)


def growth(rss: list[dict[str, float]]) -> float:
    """By how much the process that grew most did so from the middle on: what is learnt once is known by then."""
    middle, last = rss[len(rss) // 2 - 1], rss[-1]
    return max((last[name] - middle[name] for name in last if name in middle), default=0.0)


def _rate(load: Load, requests: Requests, serials: Iterator[int], seconds: float) -> float:
    driven = load.drive(requests, serials, seconds)
    return len(driven.serials) / driven.seconds


def _prove(url: str, *, singles: int, groups: int) -> None:
    engine = create_engine(url, pool_size=1)
    try:
        with reading(engine) as connection:
            found = tuple(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (deliveries, grafana_alerts)
            )
    finally:
        engine.dispose()
    wanted = (singles + groups, singles + groups * _BODY.alerts)
    if found != wanted:
        raise ProofFailed(f"deliveries and alerts: {found} instead of {wanted}")

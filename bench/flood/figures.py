"""What was seen, as figures: percentiles, how soon it was over, and whether everything acknowledged is stored."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import requests
from sqlalchemy import select

from bench.flood.connection import Answer
from receiver.storage.engine import create_engine, reading
from receiver.storage.tables import deliveries

# What an honest sender sees when nothing is wrong: the bound of the fault suite's C9.
NORMAL_SECONDS = 0.15
_DRAIN_SECONDS = 300.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What honest senders saw: seconds, and how many answers were of which kind."""

    requests: int
    p50: float
    p99: float
    longest: float
    kinds: Counter[str]


def seen(answers: Sequence[Answer]) -> Seen:
    """The figures of these answers, of which there is at least one."""
    seconds = sorted(answer.seconds for answer in answers)
    kinds = Counter(answer.kind for answer in answers)
    return Seen(len(seconds), percentile(seconds, 50), percentile(seconds, 99), seconds[-1], kinds)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """That percentile of numbers in rising order; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def recovery_seconds(answers: Sequence[Answer], over_at: float) -> float:
    """How long after `over_at` honest senders last saw anything but a quick, stored answer."""
    bad = [
        one.at for one in answers if one.seconds > NORMAL_SECONDS or one.kind not in ("processed", "spooled")
    ]
    return max(0.0, max(bad, default=over_at) - over_at)


def spool_emptied_seconds(url: str, since: float) -> float:
    """Wait until the receiver at `url` has nothing in its spool; the seconds from `since` until then. TimeoutError."""
    while time.monotonic() < since + _DRAIN_SECONDS:
        try:
            found = requests.get(f"{url}/health", timeout=5).json()["spool"]
        except (requests.RequestException, KeyError, ValueError):
            found = {}
        if found.get("deliveries") == 0:
            return time.monotonic() - since
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError("the spool was not emptied")


def missing(database_url: str, delivery_ids: Collection[str]) -> int:
    """How many of these acknowledged deliveries the database does not hold."""
    engine = create_engine(database_url)
    try:
        with reading(engine) as connection:
            stored = set(connection.execute(select(deliveries.c.delivery_id)).scalars())
    finally:
        engine.dispose()
    return len(set(delivery_ids) - stored)

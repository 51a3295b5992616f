"""What is measured: the lines of the table, each a shape of bodies and an order of serial numbers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.aims import Aim, at_least, under
from bench.bodies import Shape

Serials = Callable[[], Iterator[int]]

_REPEATED_KEYS = 200
_REPEATS = 0.8


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table. `database` names where it runs (databases.py); `aims`: what its figures should be, by
    their names in results.py.
    """

    name: str
    title: str
    shape: Shape
    serials: Serials
    database: str = "mariadb"
    aims: Mapping[str, Aim] = field(default_factory=dict)


def all_new() -> Iterator[int]:
    """Serial numbers that never come again."""
    return itertools.count(1)


def mostly_repeats() -> Iterator[int]:
    """Four of five numbers are one of the same 200, the others never came before. The same order every time."""
    chance = random.Random(0)
    for new in itertools.count(_REPEATED_KEYS + 1):
        while chance.random() < _REPEATS:
            yield chance.randint(1, _REPEATED_KEYS)
        yield new


def _aims(*, p99_ms: float, **others: Aim) -> Mapping[str, Aim]:
    return {**others, "p99_ms": under(p99_ms)}


SCENARIOS = (
    Scenario(
        "fresh",
        "one alert, fresh keys",
        Shape(),
        all_new,
        aims=_aims(webhooks_per_second=at_least(3000), p99_ms=25),
    ),
    Scenario(
        "hot",
        "one alert, one hot key",
        Shape(fresh_services=False),
        all_new,
        aims=_aims(webhooks_per_second=at_least(3000), p99_ms=25),
    ),
    Scenario(
        "repeats",
        "one alert, 80 % repeats over 200 keys",
        Shape(),
        mostly_repeats,
        aims=_aims(webhooks_per_second=at_least(3500), p99_ms=25),
    ),
    Scenario(
        "group20",
        "20 alerts in 5 services",
        Shape(alerts=20, services=5),
        all_new,
        aims=_aims(alerts_per_second=at_least(20_000), receiver_us_per_alert=under(60), p99_ms=60),
    ),
    Scenario(
        "group500",
        "500 alerts in 25 services",
        Shape(alerts=500, services=25),
        all_new,
        aims=_aims(alerts_per_second=at_least(25_000), p99_ms=1000),
    ),
    Scenario(
        "sqlite",
        "one alert, fresh keys, embedded SQLite",
        Shape(),
        all_new,
        database="sqlite",
        aims=_aims(webhooks_per_second=at_least(1500), p99_ms=50),
    ),
)


def scenario_named(name: str) -> Scenario:
    """The scenario of this name. Raises StopIteration for an unknown one."""
    return next(one for one in SCENARIOS if one.name == name)

"""What is measured: the lines of the table, each a shape of bodies and an order of serial numbers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.bodies import Shape

Serials = Callable[[], Iterator[int]]

_REPEATED_KEYS = 200
_REPEATS = 0.8


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table. `database` names where it runs (databases.py); `by_default`: without being asked for."""

    name: str
    title: str
    shape: Shape
    serials: Serials
    database: str = "mariadb"
    by_default: bool = True


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


SCENARIOS = (
    Scenario("fresh", "one alert, fresh keys", Shape(), all_new),
    Scenario("hot", "one alert, one hot key", Shape(fresh_services=False), all_new),
    Scenario("repeats", "one alert, 80 % repeats over 200 keys", Shape(), mostly_repeats),
    Scenario("group20", "20 alerts in 5 services", Shape(alerts=20, services=5), all_new),
    Scenario(
        "group500", "500 alerts in 25 services", Shape(alerts=500, services=25), all_new, by_default=False
    ),
    Scenario("sqlite", "one alert, fresh keys, embedded SQLite", Shape(), all_new, database="sqlite"),
)

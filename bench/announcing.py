"""How long after the answer to a webhook its incident's message is at Slack, while webhooks come in steadily."""

from __future__ import annotations

import random
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.bodies import Requests, Shape
from bench.databases import Database
from bench.load import Driven, Load
from bench.spread import percentile
from bench.subject import Subject
from tests.fakes.slack import Message, SlackServer

_CONNECTIONS = 64
_WARM_UP_SECONDS = 2.0
_LAST_MESSAGE_SECONDS = 60.0
# What comes again is about one of so many incidents, the youngest: a storm goes on about what it began with.
_REPEATED = 200
_serial = re.compile(rb"checkout-([0-9a-f]{12})-0").search


@dataclass(frozen=True, slots=True)
class Weather:
    """So many webhooks a second, of which so many open an incident each; the others repeat the alert of an open one."""

    per_second: float
    opening: float

    @property
    def title(self) -> str:
        """In words, for a table."""
        what = (
            "each of which opens" if self.opening == self.per_second else f"{self.opening:,.0f} of which open"
        )
        return f"{self.per_second:,.0f} webhooks/s, {what} an incident"


# People call it a storm when a thousand alerts a second come in; what is new among them is what they wait for.
STEADY = Weather(200, 200)
STORM = Weather(1000, 20)
HEAVY_STORM = Weather(1000, 200)


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the answer, which is sent after COMMIT, to the message's arrival, over all incidents opened."""

    answered_per_second: float  # less than asked for where the receiver cannot take so many
    messages: int
    p50_seconds: float
    p99_seconds: float
    slowest_seconds: float


def delays(database: Database, folder: Path, weather: Weather = STEADY, *, seconds: float = 8) -> Delays:
    """Send webhooks, and wait for the message about every incident that they open.

    Raises LoadFailed, and AssertionError if a message is missing or comes twice.
    """
    own = Path(tempfile.mkdtemp(prefix="announcing-", dir=folder))
    url = database.create()
    with SlackServer() as slack:
        # P0, as the load's incidents are, is announced one by one at any rate; nothing else is changed for the bench.
        settings = {"RECEIVER_SLACK_WEBHOOK_URL": slack.url}
        with Subject(url, own, settings) as subject, Load(subject.address, _CONNECTIONS) as load:
            requests, serials = Requests(Shape(), token=subject.token), _serials(weather)
            early = load.drive_paced(requests, serials, _WARM_UP_SECONDS, weather.per_second)
            driven = load.drive_paced(requests, serials, seconds, weather.per_second)
            known, opened = set(early.serials), _opened(driven)
            new = {serial: at for serial, at in opened.items() if serial not in known}
            messages = slack.wait_for(len(known) + len(new), _LAST_MESSAGE_SECONDS)
    arrived = _arrivals(messages)
    # The message may overtake the answer, which comes after COMMIT too.
    waits = sorted(max(0.0, arrived[serial] - at) for serial, at in new.items())
    database.drop(url)
    shutil.rmtree(own)
    rate = len(driven.serials) / driven.seconds
    return Delays(rate, len(waits), percentile(waits, 50), percentile(waits, 99), waits[-1])


def _serials(weather: Weather) -> Iterator[int]:
    """The same order every time."""
    chance, newest = random.Random(0), 0
    while True:
        if not newest or chance.random() < weather.opening / weather.per_second:
            newest += 1
            yield newest
        else:
            yield chance.randint(max(1, newest - _REPEATED), newest)


def _opened(driven: Driven) -> dict[int, float]:
    """When each serial number was answered first."""
    found: dict[int, float] = {}
    for serial, at in zip(driven.serials, driven.answered_at, strict=True):
        found.setdefault(serial, at)
    return found


def _arrivals(messages: Sequence[Message]) -> dict[int, float]:
    arrived: dict[int, float] = {}
    for message in messages:
        found = _serial(message.raw)
        assert found is not None, "a message that is about no incident of ours"
        serial = int(found[1], 16)
        assert serial not in arrived, f"incident {serial} was announced twice"
        arrived[serial] = message.received_at
    return arrived

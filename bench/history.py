"""A made-up past: when which incident opened, who handled it, and how many alerts it had.

Ninety days with the rhythm of working hours; a few rules make most of the noise; most incidents are short, some long.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from receiver.domain.incident import RESOLVED_BY_ALERT, Status, incident_id
from receiver.domain.key import incident_key

RULES, SERVICES, KEYS = 300, 80, 1500
_PEOPLE = ("ada", "grace", "linus", "margaret", "ken", "radia", "barbara", "edsger")
_TEAMS = ("payments", "search", "platform", "data", None)
_SEVERITIES = (("critical", "P0", 1), ("error", "P1", 2), ("warning", "P2", 5), ("info", "P3", 2))
# How busy each hour of a day is, UTC.
_HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 8, 10, 10, 9, 8, 10, 10, 9, 8, 6, 4, 3, 2, 2, 1, 1)
_WEEKEND = 0.4


@dataclass(frozen=True, slots=True)
class Place:
    """What an incident key is made of."""

    rule: int
    service: int
    severity: str
    priority: str

    @property
    def rule_uid(self) -> str:
        return f"rule-{self.rule:04}"

    @property
    def service_name(self) -> str:
        return f"service-{self.service:02}"

    @property
    def cluster(self) -> str:
        return ("eu-1", "us-1", "ap-1")[self.service % 3]

    @property
    def key(self) -> str:
        return incident_key(self.rule_uid, self.cluster, "shop", self.service_name, "")


@dataclass(frozen=True, slots=True)
class PastIncident:
    """One incident of the past; `alerts` of its alerts are to be made up."""

    place: Place
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    owner: str | None
    alerts: int

    @property
    def incident_id(self) -> str:
        return incident_id(self.opened_at, self.place.key)

    @property
    def status(self) -> Status:
        if self.resolved_at is not None:
            return Status.RESOLVED
        return Status.ACTIVE if self.acknowledged_at is None else Status.ACKNOWLEDGED


def past(incidents: int, alerts: int, days: int, until: datetime, seed: int = 1) -> list[PastIncident]:
    """That many incidents of `days` up to `until`, oldest first, with about that many alerts in all."""
    chance = random.Random(seed)
    places = _places(chance, min(KEYS, incidents))
    weights = [1 / (rank + 1) ** 0.8 for rank in range(len(places))]
    shares = chance.choices(range(len(places)), weights, k=incidents)
    openings: list[list[datetime]] = [[] for _ in places]
    for which, moment in zip(shares, _moments(chance, incidents, days, until), strict=True):
        openings[which].append(moment)
    mean = max(1.0, alerts / incidents)
    found = [
        one
        for place, moments in zip(places, openings, strict=True)
        for one in _lives(chance, place, sorted(moments), mean, until)
    ]
    return sorted(found, key=lambda one: one.opened_at)


def _places(chance: random.Random, number: int) -> list[Place]:
    severities = chance.choices(_SEVERITIES, [weight for _, _, weight in _SEVERITIES], k=RULES)
    chosen: dict[tuple[int, int], None] = {}
    while len(chosen) < number:
        chosen[chance.randrange(RULES), chance.randrange(SERVICES)] = None
    return [Place(rule, service, severities[rule][0], severities[rule][1]) for rule, service in chosen]


def _moments(chance: random.Random, number: int, days: int, until: datetime) -> Iterator[datetime]:
    for _ in range(number):
        while True:
            day = until - timedelta(days=chance.randrange(days) + 1)
            if day.weekday() < 5 or chance.random() < _WEEKEND:
                break
        hour = chance.choices(range(24), _HOURS)[0]
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        yield midnight + timedelta(hours=hour, microseconds=chance.randrange(3_600_000_000))


def _apart(moments: Sequence[datetime]) -> list[datetime]:
    """The same, but each two seconds after the one before it at least: an id has the second of opening."""
    found: list[datetime] = []
    for moment in moments:
        found.append(max(moment, found[-1] + timedelta(seconds=2)) if found else moment)
    return found


def _lives(
    chance: random.Random, place: Place, moments: Sequence[datetime], mean: float, until: datetime
) -> Iterator[PastIncident]:
    """The incidents of one key: each is over before the next one opens."""
    moments = _apart(moments)
    for number, opened_at in enumerate(moments):
        room = (moments[number + 1] if number + 1 < len(moments) else until) - opened_at
        is_last = number + 1 == len(moments)
        lasts = timedelta(seconds=min(chance.lognormvariate(7, 1.4), 4 * 86400))
        is_open = is_last and chance.random() < 0.5
        resolved_at = None if is_open else opened_at + min(lasts, room * 0.9)
        wait = timedelta(seconds=min(chance.lognormvariate(5.5, 1), 86400))
        end = resolved_at or until
        seen = opened_at + wait < end and chance.random() < 0.8
        by_hand = chance.random() < 0.25
        yield PastIncident(
            place,
            opened_at,
            opened_at + wait if seen else None,
            chance.choice(_PEOPLE) if seen else None,
            resolved_at,
            None if is_open else chance.choice(_PEOPLE) if by_hand else RESOLVED_BY_ALERT,
            chance.choice(_TEAMS),
            # Many have two or three, a few have hundreds; about `mean` on average.
            max(1, min(20_000, round((chance.paretovariate(1.5) - 0.9) * mean / 2.1))),
        )

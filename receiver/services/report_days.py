"""Counts whole days for the reports beforehand, and again after something in them has changed.

A step of the roll-up's standing job (rollup.py), after all that is new was counted. A day is counted in one transaction
that holds the locks of the streams: nobody changes meanwhile what it is counted from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from receiver.domain.day_numbers import DayNumbers
from receiver.services.transaction import transact
from receiver.storage import day_counts, report_days, rollups
from receiver.storage.engine import reading

# A day in which something changed is counted again after so long, however much more changes.
PAUSE = timedelta(minutes=5)
# And each day after so long: a worker of an older release, or a hand, may have changed it without a word.
AT_LATEST = timedelta(hours=6)
# Reports on what is older read the rows themselves.
FURTHEST = timedelta(days=400)
# A turn of the job counts so many at most: a worker has other things to do.
A_FEW, MANY = 10, 10_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Source:
    """What a day is counted from, and as what."""

    subjects: tuple[str, ...]
    # After the day's end; whoever writes later says that it did, but who began before the end does not know yet.
    pause: timedelta
    first: Callable[[Connection], datetime | None]
    count: Callable[[Connection, datetime, datetime], Mapping[str, tuple[DayNumbers, bytes]]]


SOURCES = (
    Source(report_days.INCIDENTS, timedelta(0), day_counts.first_incident, day_counts.incidents),
    Source(report_days.ALERTS, timedelta(0), day_counts.first_alert, day_counts.alerts),
    Source(report_days.TEXTS, timedelta(0), day_counts.first_text, day_counts.texts),
    Source(report_days.MESSAGES, timedelta(hours=1), day_counts.first_message, day_counts.messages),
)


def count_due(engine: Engine, now: datetime, is_over: Callable[[], bool], at_most: int = MANY) -> bool:
    """Count `at_most` so many of each source's days that are due, the newest first; False: `is_over()` came before.

    Raises StorageUnavailable, and what the database raises.
    """
    for source in SOURCES:
        for day in _due(engine, source, now)[:at_most]:
            _count(engine, source, day, now)
            if is_over():
                return False
    return True


def _due(engine: Engine, source: Source, now: datetime) -> list[datetime]:
    today = report_days.day_of(now - source.pause)
    with reading(engine) as connection:
        first = source.first(connection)
        if first is None:
            return []
        since = max(report_days.day_of(first), today - FURTHEST)
        made = report_days.made(connection, source.subjects[0])
    if over := {day for day in made if day < since}:  # nobody counts them again
        transact(engine, lambda connection, _: report_days.forget(connection, source.subjects, over))
    days = (today - number * _DAY for number in range(1, (today - since).days + 1))
    return [day for day in days if day not in made or _is_due(*made[day], now)]


def _is_due(made_at: datetime, is_right: bool, now: datetime) -> bool:
    return now - made_at >= (AT_LATEST if is_right else PAUSE)


def _count(engine: Engine, source: Source, day: datetime, now: datetime) -> None:
    def work(connection: Connection, _attempt: int) -> None:
        for stream in (rollups.ALERTS, rollups.EVENTS):
            rollups.lock(connection, stream)
        known = report_days.lock(connection, day, source.subjects, now)
        report_days.write(connection, day, source.count(connection, day, day + _DAY), now, known)

    transact(engine, work)

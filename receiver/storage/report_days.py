"""Rows of `report_days`: what reports ask of a whole day, counted beforehand.

A day is counted from incident_facts and the other roll-ups. Whoever changes those says so in the same transaction
(`doubt`), and reports read the day from the rows themselves until it is counted anew: so they say the same either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, select, update

from receiver.domain.day_numbers import DayNumbers, read
from receiver.domain.period import Period
from receiver.storage.report_day_table import report_days
from receiver.storage.upsert import put

# By what the incidents of a day are counted; `all`: together, `people`: by who acknowledged and who resolved.
INCIDENTS = ("all", "priority", "severity", "service", "rule", "owner", "people")
# By what its alerts are counted: by what became of them, by rule, by service.
ALERTS = ("alerts", "alerts rule", "alerts service")
MESSAGES = ("messages",)
# The signature of the texts of its incidents (domain/text_signature.py), as `times`.
TEXTS = ("texts",)
_DAY = timedelta(days=1)
_own = report_days.c
_COUNTED = frozenset({"numbers", "times", "made_at"})


def day_of(moment: datetime) -> datetime:
    """The beginning of the moment's day, UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def doubt(connection: Connection, subjects: Collection[str], moments: Iterable[datetime]) -> None:
    """What was counted of the days of these moments is right no more."""
    days = sorted({day_of(moment) for moment in moments})
    if days:
        mine = (_own.day.in_(days), _own.subject.in_(subjects))
        connection.execute(update(report_days).where(*mine).values(is_right=False))


def write(
    connection: Connection,
    day: datetime,
    counted: Mapping[str, tuple[DayNumbers, bytes]],
    now: datetime,
    known: Mapping[str, tuple[str, bytes]],
) -> None:
    """Write down what was counted of the day, by subject. Nobody else may be changing what it was counted from.

    Of `known` subjects only what changed is written, and when it was made at the first: a day is counted many times,
    and each time all of it would go through the binary log.
    """
    found = {subject: (numbers.text(), times) for subject, (numbers, times) in counted.items()}
    first = next(iter(found))
    rows = [
        {
            "day": day,
            "subject": subject,
            "numbers": numbers,
            "times": times,
            "is_right": True,
            "made_at": now,
        }
        for subject, (numbers, times) in found.items()
        if subject == first or known.get(subject) != (numbers, times)
    ]
    put(connection, report_days, rows, but=frozenset())


def made(connection: Connection, subject: str) -> dict[datetime, tuple[datetime, bool]]:
    """By day when it was counted, and whether that is still right."""
    query = select(_own.day, _own.made_at, _own.is_right)
    rows = connection.execute(query.where(_own.subject == subject))
    return {day: (made_at, is_right) for day, made_at, is_right in rows}


def forget(connection: Connection, subjects: Collection[str], days: Collection[datetime]) -> None:
    """Remove what was counted of these days."""
    connection.execute(delete(report_days).where(_own.day.in_(sorted(days)), _own.subject.in_(subjects)))


def lock(
    connection: Connection, day: datetime, subjects: Sequence[str], now: datetime
) -> dict[str, tuple[str, bytes]]:
    """Have whoever doubts this day wait until this transaction has ended, and wait for those who do just now.

    Returns what was counted before, numbers and times, of the subjects of which it is still right.
    """
    query = select(_own.subject, _own.numbers, _own.times, _own.is_right).with_for_update()
    found = connection.execute(query.where(_own.day == day, _own.subject.in_(subjects))).all()
    missing = sorted(set(subjects) - {row.subject for row in found})
    empty = {"day": day, "numbers": "", "times": b"", "is_right": False, "made_at": now}
    put(connection, report_days, [{**empty, "subject": one} for one in missing], but=_COUNTED)
    return {row.subject: (row.numbers, row.times) for row in found if row.is_right}


def whole_days(
    connection: Connection, period: Period, subjects: Sequence[str], *, with_times: bool = False
) -> tuple[list[dict[str, RowMapping]], list[Period]]:
    """Of the period's whole days those that were counted, each with its `numbers` (and `times`) by subject; and the
    parts of the period that have to be read from the rows themselves.
    """
    days = period.whole_days()
    if days is None:
        return [], [period]
    columns = [_own.day, _own.subject, _own.numbers, *([_own.times] if with_times else [])]
    query = select(*columns).where(
        _own.day >= days.since, _own.day < days.until, _own.subject.in_(subjects), _own.is_right.is_(True)
    )
    found: dict[datetime, dict[str, RowMapping]] = {}
    for row in connection.execute(query.order_by(_own.day)).mappings():
        found.setdefault(row["day"], {})[row["subject"]] = row
    complete = {day: rows for day, rows in found.items() if len(rows) == len(subjects)}
    return list(complete.values()), list(_between(period, complete))


def signatures(connection: Connection) -> Iterator[tuple[datetime, bytes, int]]:
    """By day the signature of the texts of its incidents, and the newest incident's number when it was made."""
    query = select(_own.day, _own.times, _own.numbers).where(_own.subject == TEXTS[0]).order_by(_own.day)
    for day, signature, numbers in connection.execute(query):
        yield day, signature, read(numbers).column("newest")[0]


def _between(period: Period, days: Iterable[datetime]) -> Iterator[Period]:
    """What is left of the period without these days, which are in order."""
    since = period.since
    for day in days:
        if since < day:
            yield Period(since, day)
        since = day + _DAY
    if since < period.until:
        yield Period(since, period.until)

"""Numbers of incidents for reports: of whole days from report_days, of the rest of a period from the incidents' facts.

Of the facts each question reads stretches of the primary key, by opened_at. What is asked about some places only is
read from the facts altogether.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    Select,
    String,
    and_,
    case,
    cast,
    collate,
    func,
    or_,
    select,
)

from receiver.domain.day_numbers import Key, WrittenDay, add_times, add_up, read
from receiver.domain.durations import Durations
from receiver.domain.incident import OPEN_STATUSES, RESOLVED_BY_ALERT
from receiver.domain.noise import BRIEF_SECONDS, REOPENED_SECONDS
from receiver.domain.period import Period
from receiver.storage.engine import is_mysql
from receiver.storage.report_days import whole_days
from receiver.storage.report_places import COLUMNS, Places, by_place, within
from receiver.storage.tables import incident_facts, incidents

Days = list[dict[str, RowMapping]]
_own = incident_facts.c
_is_open = _own.status.in_(OPEN_STATUSES)
# All durations of a group come as one text; the server's own limit is 1 MiB on MariaDB, 1 KiB on MySQL.
_LONGEST_TEXT = 256 * 1024 * 1024


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def by_alert(resolved_by: Column[str]) -> ColumnElement[bool]:
    """Whether it was the sender who ended it. Byte for byte: a person may be called `Alert`."""
    return cast(resolved_by, LargeBinary) == RESOLVED_BY_ALERT.encode()


# As domain/day_numbers.py counts them.
_SUMS: Mapping[str, ColumnElement[Any]] = {
    "incidents": func.count(),
    "open": _number(_is_open),
    "acknowledged": func.count(_own.ack_seconds),
    "resolved": func.count(_own.resolve_seconds),
    "ack_seconds": func.coalesce(func.sum(_own.ack_seconds), 0),
    "reopened": _number(_own.calm_seconds < REOPENED_SECONDS),
    "unacknowledged": _number(and_(_own.ack_seconds.is_(None), ~_is_open)),
    "brief": _number(and_(by_alert(_own.resolved_by), _own.resolve_seconds < BRIEF_SECONDS)),
}


def _days(
    connection: Connection, period: Period, places: Places, *subjects: str, with_times: bool = False
) -> tuple[Days, list[Period]]:
    if places.named():
        return [], [period]
    return whole_days(connection, period, subjects, with_times=with_times)


def _found(
    connection: Connection,
    parts: Sequence[Period],
    by: str,
    places: Places,
    sums: Sequence[str],
    texts: Mapping[str, ColumnElement[Any]],
) -> Sequence[RowMapping]:
    """Of the facts these numbers and texts by `key`: a rule, a service, a day (as text), or what a column holds."""
    if not parts:
        return []
    values = [
        *(_SUMS[name].label(name) for name in sums),
        *(text.label(name) for name, text in texts.items()),
    ]
    if by in COLUMNS:
        inner = _within(connection, parts, places, select(_own.facet_id, *values)).group_by(_own.facet_id)
        return by_place(connection, by, inner, sums, list(texts))
    key = _key(connection, by)
    query = _within(connection, parts, places, select(key.label("key"), *values)).group_by(key)
    return connection.execute(query).mappings().all()


def _key(connection: Connection, by: str) -> ColumnElement[Any]:
    return (
        func.substr(cast(_own.opened_at, String(26)), 1, 10) if by == "day" else _exact(connection, _own[by])
    )


def _exact(connection: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """Names are counted as they are spelled, whatever the database and whichever day."""
    is_name = column.name in ("owner", "acknowledged_by", "resolved_by")
    return collate(column, "utf8mb4_bin") if is_name and is_mysql(connection) else column


def _within(
    connection: Connection, parts: Sequence[Period], places: Places, query: Select[Any]
) -> Select[Any]:
    inside = (and_(_own.opened_at >= part.since, _own.opened_at < part.until) for part in parts)
    return query.where(or_(*inside), *within(connection, _own.facet_id, places))


def _added(
    rows: Iterable[RowMapping], sums: dict[Key, list[int]], names: Sequence[str]
) -> dict[Key, list[int]]:
    """`sums`, and to them the numbers of these rows added."""
    for row in rows:
        numbers = [int(row[name]) for name in names]
        known = sums.get(row["key"])
        sums[row["key"]] = numbers if known is None else [a + b for a, b in zip(known, numbers, strict=True)]
    return sums


@dataclass(slots=True)
class Times:
    """How long incidents took.

    `groups`: by the key how many there are, and how many of them are open. `days` by key, `sums` all together: of days
    that were counted beforehand; `rows`: of the rest.
    """

    groups: dict[Key, list[int]]
    days: list[tuple[WrittenDay, bytes]]
    sums: list[tuple[WrittenDay, bytes]]
    rows: Sequence[RowMapping]

    def of(self, keys: Collection[Key]) -> dict[Key, tuple[Durations, Durations]]:
        """The times to acknowledge and to resolve of each of these keys."""
        found: dict[Key, tuple[Durations, Durations]] = {key: (Durations(), Durations()) for key in keys}
        for day, times in self.days:
            add_times(found, day, times, found.keys())
        for row in self.rows:
            if row["key"] in found:
                acks, resolves = found[row["key"]]
                acks.add(row["acks"])
                resolves.add(row["resolves"])
        return found

    def of_all(self) -> tuple[Durations, Durations]:
        """The same of all incidents together."""
        acks, resolves = Durations(), Durations()
        for day, times in self.sums:
            add_times({None: (acks, resolves)}, day, times, {None})
        for row in self.rows:
            acks.add(row["acks"])
            resolves.add(row["resolves"])
        return acks, resolves


def durations(connection: Connection, period: Period, by: str, places: Places) -> Times:
    """How long the incidents that opened in the period took, by a column or by a place's."""
    days, parts = _days(connection, period, places, "all", by, with_times=True)
    if is_mysql(connection):
        connection.exec_driver_sql(f"SET SESSION group_concat_max_len = {_LONGEST_TEXT}")
    texts = {"acks": _joined(_own.ack_seconds), "resolves": _joined(_own.resolve_seconds)}
    names = ("incidents", "open")
    rows = _found(connection, parts, by, places, names, texts)
    mine = [(read(day[by]["numbers"]), day[by]["times"]) for day in days]
    sums = [(read(day["all"]["numbers"]), day["all"]["times"]) for day in days]
    return Times(_added(rows, add_up((day for day, _ in mine), names), names), mine, sums, rows)


def _joined(column: Column[Any]) -> ColumnElement[str]:
    return func.group_concat(column, type_=String())


def numbers(
    connection: Connection, period: Period, by: str, places: Places, names: Sequence[str]
) -> dict[Key, list[int]]:
    """By the key these numbers (those of domain/day_numbers.py) of the incidents that opened in the period."""
    subject = "all" if by == "day" else by
    days, parts = _days(connection, period, places, subject)
    rows = _found(connection, parts, by, places, names, {})
    if by != "day":
        return _added(rows, add_up((read(day[subject]["numbers"]) for day in days), names), names)
    found = {
        f"{day[subject]['day']:%Y-%m-%d}": add_up([read(day[subject]["numbers"])], names).get(None)
        for day in days
    }
    return _added(rows, {key: sums for key, sums in found.items() if sums}, names)


def responders(connection: Connection, period: Period, places: Places) -> dict[Key, list[int]]:
    """By acknowledged_by and resolved_by: incidents, and the sum of seconds to acknowledge."""
    days, parts = _days(connection, period, places, "people")
    names = ("incidents", "ack_seconds")
    sums = add_up((read(day["people"]["numbers"]) for day in days), names)
    if not parts:
        return sums
    people = [_exact(connection, one) for one in (_own.acknowledged_by, _own.resolved_by)]
    query = _within(connection, parts, places, select(*people, *(_SUMS[name].label(name) for name in names)))
    for who, whom, *found in connection.execute(query.group_by(*people)):
        known = sums.get((who, whom), [0, 0])
        sums[who, whom] = [a + int(b) for a, b in zip(known, found, strict=True)]
    return sums


def open_now(connection: Connection, places: Places) -> Sequence[RowMapping]:
    """Incidents that are open now, whenever they opened, by priority and status."""
    own = incidents.c
    query = (
        select(
            own.priority, own.status, func.count().label("incidents"), func.min(own.opened_at).label("oldest")
        )
        .where(own.status.in_(OPEN_STATUSES))
        .where(*(own[name].in_(values) for name, values in places.named().items()))
    )
    return connection.execute(query.group_by(own.priority, own.status)).mappings().all()

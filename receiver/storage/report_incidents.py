"""Numbers of incidents for reports, from their facts: each reads a stretch of the primary key, by opened_at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    select,
)

from receiver.domain.incident import OPEN_STATUSES, RESOLVED_BY_ALERT
from receiver.domain.period import Period
from receiver.storage.engine import is_mysql
from receiver.storage.report_places import COLUMNS, Places, by_place, within
from receiver.storage.tables import incident_facts, incidents

# What flaps and what was not worth a message: docs/reports.md.
REOPENED_SECONDS = 3600
BRIEF_SECONDS = 300
_own = incident_facts.c
_is_open = _own.status.in_(OPEN_STATUSES)
# All durations of a group come as one text; the server's own limit is 1 MiB on MariaDB, 1 KiB on MySQL.
_LONGEST_TEXT = 256 * 1024 * 1024


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _found(
    connection: Connection,
    period: Period,
    by: str,
    places: Places,
    sums: dict[str, ColumnElement[Any]],
    texts: dict[str, ColumnElement[Any]],
) -> Sequence[RowMapping]:
    """These numbers and texts by `key`: a rule, a service, a day (as text) or what a column of the facts holds."""
    values = [value.label(name) for name, value in (sums | texts).items()]
    if by in COLUMNS:
        inner = _within(period, places, select(_own.facet_id, *values)).group_by(_own.facet_id)
        return by_place(connection, by, inner, list(sums), list(texts))
    key = func.substr(cast(_own.opened_at, String(26)), 1, 10) if by == "day" else _own[by]
    query = _within(period, places, select(key.label("key"), *values)).group_by(key)
    return connection.execute(query).mappings().all()


def _within(period: Period, places: Places, query: Select[Any]) -> Select[Any]:
    inside = (_own.opened_at >= period.since, _own.opened_at < period.until)
    return query.where(*inside, *within(_own.facet_id, places))


def durations(connection: Connection, period: Period, by: str, places: Places) -> Sequence[RowMapping]:
    """By `key`: incidents, those open, and all seconds to acknowledge and to resolve as `12,7,12`."""
    if is_mysql(connection):
        connection.exec_driver_sql(f"SET SESSION group_concat_max_len = {_LONGEST_TEXT}")
    sums = {"incidents": func.count(), "open": _number(_is_open)}
    texts = {"acks": _joined(_own.ack_seconds), "resolves": _joined(_own.resolve_seconds)}
    return _found(connection, period, by, places, sums, texts)


def _joined(column: Column[Any]) -> ColumnElement[str]:
    return func.group_concat(column, type_=String())


def noise(connection: Connection, period: Period, by: str, places: Places) -> Sequence[RowMapping]:
    """By `key`: incidents; those that flapped, that nobody acknowledged, that soon ended alone."""
    brief = and_(_own.resolved_by == RESOLVED_BY_ALERT, _own.resolve_seconds < BRIEF_SECONDS)
    sums = {
        "incidents": func.count(),
        "reopened": _number(_own.calm_seconds < REOPENED_SECONDS),
        "unacknowledged": _number(and_(_own.ack_seconds.is_(None), ~_is_open)),
        "brief": _number(brief),
    }
    return _found(connection, period, by, places, sums, {})


def opened(connection: Connection, period: Period, by: str, places: Places) -> Sequence[RowMapping]:
    """By `key`: incidents opened, and how many of them are acknowledged, resolved, open."""
    sums = {
        "incidents": func.count(),
        "acknowledged": func.count(_own.ack_seconds),
        "resolved": func.count(_own.resolve_seconds),
        "open": _number(_is_open),
    }
    return _found(connection, period, by, places, sums, {})


def responders(connection: Connection, period: Period, places: Places) -> Sequence[RowMapping]:
    """By acknowledged_by and resolved_by: incidents, and the sum of seconds to acknowledge."""
    query = select(
        _own.acknowledged_by,
        _own.resolved_by,
        func.count().label("incidents"),
        func.sum(_own.ack_seconds).label("ack_seconds"),
    )
    grouped = _within(period, places, query).group_by(_own.acknowledged_by, _own.resolved_by)
    return connection.execute(grouped).mappings().all()


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

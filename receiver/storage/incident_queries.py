"""Reads incidents, their alerts and their timelines for people: pages by keyset, never by OFFSET."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, func, or_, select

from receiver.domain.events import Event
from receiver.domain.incident import OPEN_STATUSES, incident_number
from receiver.storage import incident_search
from receiver.storage.tables import events, grafana_alerts, incidents

_incident_columns = [column for column in incidents.c if column.name != "open_key"]
_alert_columns = [column for column in grafana_alerts.c if column.name != "raw_payload"]


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are wanted; what is empty does not restrict. Several values of one field: any of them.

    `since` (included) and `until` (not included) bound the time of opening. `text` is searched, without case, in title,
    summary, service and id.
    """

    statuses: Sequence[str] = ()
    priorities: Sequence[str] = ()
    severities: Sequence[str] = ()
    services: Sequence[str] = ()
    clusters: Sequence[str] = ()
    namespaces: Sequence[str] = ()
    owners: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before: its time and its id."""

    moment: datetime
    row_id: str


def by_reference(connection: Connection, reference: str) -> RowMapping | None:
    """The incident with this id or number (`INC-123` or `123`)."""
    number = incident_number(reference)
    # Ids are ASCII; asking the database for another text may fail on the column's character set.
    if number is None and not reference.isascii():
        return None
    wanted = incidents.c.incident_id == reference if number is None else incidents.c.number == number
    return connection.execute(select(*_incident_columns).where(wanted)).mappings().one_or_none()


def page(
    connection: Connection, wanted: IncidentFilter, after: After | None, limit: int
) -> Sequence[RowMapping]:
    """At most `limit` incidents, newest first, after the given row."""
    statement = select(*_incident_columns).where(*_conditions(wanted))
    narrowed = incident_search.narrowed(connection, wanted.text) if wanted.text else None
    if narrowed is None:
        return _newest_incidents(connection, statement, after, limit)
    found = _newest_incidents(connection, statement.where(narrowed.outside()), after, limit)
    later = _newest_incidents(connection, statement.where(narrowed.later()), after, limit)
    both = {row["incident_id"]: row for row in (*found, *later)}
    return sorted(both.values(), key=lambda row: (row["opened_at"], row["incident_id"]), reverse=True)[:limit]


def alerts_of(
    connection: Connection, incident_id: str, after: After | None, limit: int, *, raw: bool
) -> Sequence[RowMapping]:
    """At most `limit` alerts of the incident, newest first, after the given row; `raw`: with their original JSON."""
    columns = [*_alert_columns, *([grafana_alerts.c.raw_payload] if raw else [])]
    statement = select(*columns).where(grafana_alerts.c.incident_id == incident_id)
    return _newest_first(
        connection, statement, grafana_alerts.c.received_at, grafana_alerts.c.alert_id, after, limit
    )


def timeline_of(
    connection: Connection, incident_id: str, after_event: int, limit: int
) -> Sequence[RowMapping]:
    """At most `limit` events of the incident in the order in which they happened, after the given event's id."""
    statement = (
        select(events)
        .where(events.c.incident_id == incident_id, events.c.event_id > after_event)
        .order_by(events.c.event_id)
        .limit(limit)
    )
    return connection.execute(statement).mappings().all()


def is_told(connection: Connection, event: Event) -> bool:
    """Whether this very event is in the timeline already."""
    statement = select(events.c.event_id).where(
        events.c.incident_id == event.incident_id,
        events.c.type == event.type.value,
        events.c.trace_id == event.trace_id,
        events.c.created_at == event.created_at,
    )
    return connection.execute(statement.limit(1)).first() is not None


def count_open(connection: Connection) -> dict[tuple[str, str], int]:
    """How many open incidents there are by (status, priority)."""
    statement = (
        select(incidents.c.status, incidents.c.priority, func.count())
        .where(incidents.c.status.in_(OPEN_STATUSES))
        .group_by(incidents.c.status, incidents.c.priority)
    )
    return {(status, priority): number for status, priority, number in connection.execute(statement)}


def _newest_incidents(
    connection: Connection, statement: Select[Any], after: After | None, limit: int
) -> Sequence[RowMapping]:
    return _newest_first(connection, statement, incidents.c.opened_at, incidents.c.incident_id, after, limit)


def _newest_first(
    connection: Connection,
    statement: Select[Any],
    moment: Column[Any],
    row_id: Column[Any],
    after: After | None,
    limit: int,
) -> Sequence[RowMapping]:
    if after is not None:
        # Spelled out: neither MySQL nor MariaDB uses an index for (a, b) < (x, y).
        older = or_(moment < after.moment, row_id < after.row_id)
        statement = statement.where(moment <= after.moment, older)
    return connection.execute(statement.order_by(moment.desc(), row_id.desc()).limit(limit)).mappings().all()


def _conditions(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    lists = (
        (incidents.c.status, wanted.statuses),
        (incidents.c.priority, wanted.priorities),
        (incidents.c.severity, wanted.severities),
        (incidents.c.service, wanted.services),
        (incidents.c.cluster, wanted.clusters),
        (incidents.c.namespace, wanted.namespaces),
        (incidents.c.owner, wanted.owners),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in lists if values]
    if wanted.since is not None:
        conditions.append(incidents.c.opened_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(incidents.c.opened_at < wanted.until)
    if wanted.text:
        conditions.append(_holds(wanted.text))
    return conditions


def _holds(text: str) -> ColumnElement[bool]:
    searched: list[ColumnElement[bool]] = [
        column.icontains(text, autoescape=True)
        for column in (incidents.c.title, incidents.c.summary, incidents.c.service)
    ]
    if text.isascii():  # as ids are
        searched.append(incidents.c.incident_id.icontains(text, autoescape=True))
    number = incident_number(text)
    if number is not None:
        searched.append(incidents.c.number == number)
    return or_(*searched)

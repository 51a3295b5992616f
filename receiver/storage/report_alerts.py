"""Numbers of alerts for reports, from the roll-ups: whole days from alert_days, the rest from alert_hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from receiver.domain.alert import Disposition
from receiver.domain.period import Period
from receiver.storage.report_places import Places, by_place, within
from receiver.storage.tables import alert_days, alert_hours


def by_rule_or_service(
    connection: Connection, period: Period, by: str, places: Places
) -> dict[str, tuple[int, str]]:
    """Alerts of a period of whole hours by rule or service, each with a name for the rule."""
    found: dict[str, tuple[int, str]] = {}
    for table, part in _parts(period):
        own = table.c
        inner = _within(table, part, places, select(own.facet_id, func.sum(own.alerts).label("alerts")))
        for row in by_place(connection, by, inner.group_by(own.facet_id), ["alerts"]):
            number, name = found.get(row["key"], (0, ""))
            found[row["key"]] = (number + int(row["alerts"]), max(name, row["name"]))
    return found


def by_day(connection: Connection, period: Period, places: Places) -> Counter[tuple[datetime, str]]:
    """Alerts of a period of whole hours by day and disposition."""
    found: Counter[tuple[datetime, str]] = Counter()
    for table, part in _parts(period):
        if table is alert_days:
            found.update(_days(connection, part, places))
        else:
            for (hour, disposition), number in by_hour(connection, part, places).items():
                found[hour.replace(hour=0), disposition] += number
    return found


def _days(connection: Connection, part: Period, places: Places) -> Counter[tuple[datetime, str]]:
    own, found = alert_days.c, Counter[tuple[datetime, str]]()
    sums = (func.sum(own[one.value]).label(one.value) for one in Disposition)
    query = _within(alert_days, part, places, select(own.day, *sums)).group_by(own.day)
    for row in connection.execute(query).mappings():
        found.update({(row["day"], one.value): int(row[one.value]) for one in Disposition})
    return +found


def by_hour(connection: Connection, period: Period, places: Places) -> Counter[tuple[datetime, str]]:
    """Alerts of a period of whole hours by hour and disposition."""
    own = alert_hours.c
    query = _within(alert_hours, period, places, select(own.hour, own.disposition, func.sum(own.alerts)))
    rows = connection.execute(query.group_by(own.hour, own.disposition))
    return Counter({(hour, str(disposition)): int(number) for hour, disposition, number in rows})


def _parts(period: Period) -> Iterator[tuple[Table, Period]]:
    days = period.whole_days()
    parts = [(alert_hours, period)]
    if days is not None:
        before, after = Period(period.since, days.since), Period(days.until, period.until)
        parts = [(alert_hours, before), (alert_days, days), (alert_hours, after)]
    return ((table, part) for table, part in parts if part.since < part.until)


def _within(table: Table, part: Period, places: Places, query: Select[Any]) -> Select[Any]:
    moment = table.c.day if table is alert_days else table.c.hour
    return query.where(moment >= part.since, moment < part.until, *within(table.c.facet_id, places))

"""Numbers of alerts for reports: whole days from report_days, or alert_days where these do not do; the rest from
alert_hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from receiver.domain.alert import Disposition
from receiver.domain.day_numbers import WrittenDay, add_up, read
from receiver.domain.period import Period
from receiver.storage.report_days import whole_days
from receiver.storage.report_places import Places, by_place, within
from receiver.storage.tables import alert_days, alert_hours


def by_rule_or_service(connection: Connection, period: Period, by: str, places: Places) -> Counter[str]:
    """Alerts of a period of whole hours by rule or service."""
    found: Counter[str] = Counter()
    counted, rest = _counted(connection, period, places, f"alerts {by}")
    for key, (number,) in add_up((numbers for _, numbers in counted), ["alerts"]).items():
        found[str(key)] = number
    for table, part in _parts(rest):
        own = table.c
        query = select(own.facet_id, func.sum(own.alerts).label("alerts"))
        inner = _within(connection, table, part, places, query).group_by(own.facet_id)
        for row in by_place(connection, by, inner, ["alerts"]):
            found[row["key"]] += int(row["alerts"])
    return found


def by_day(connection: Connection, period: Period, places: Places) -> Counter[tuple[datetime, str]]:
    """Alerts of a period of whole hours by day and disposition."""
    found: Counter[tuple[datetime, str]] = Counter()
    counted, rest = _counted(connection, period, places, "alerts")
    for day, numbers in counted:
        found.update({(day, str(key)): number for key, (number,) in add_up([numbers], ["alerts"]).items()})
    for table, part in _parts(rest):
        if table is alert_days:
            found.update(_days(connection, part, places))
        else:
            for (hour, disposition), number in by_hour(connection, part, places).items():
                found[hour.replace(hour=0), disposition] += number
    return found


def _counted(
    connection: Connection, period: Period, places: Places, subject: str
) -> tuple[list[tuple[datetime, WrittenDay]], list[Period]]:
    """The days that were counted beforehand, and the rest of the period."""
    if places.named():
        return [], [period]
    days, rest = whole_days(connection, period, [subject])
    return [(day[subject]["day"], read(day[subject]["numbers"])) for day in days], rest


def _days(connection: Connection, part: Period, places: Places) -> Counter[tuple[datetime, str]]:
    own, found = alert_days.c, Counter[tuple[datetime, str]]()
    sums = (func.sum(own[one.value]).label(one.value) for one in Disposition)
    query = _within(connection, alert_days, part, places, select(own.day, *sums)).group_by(own.day)
    for row in connection.execute(query).mappings():
        found.update({(row["day"], one.value): int(row[one.value]) for one in Disposition})
    return +found


def by_hour(connection: Connection, period: Period, places: Places) -> Counter[tuple[datetime, str]]:
    """Alerts of a period of whole hours by hour and disposition."""
    own = alert_hours.c
    query = _within(
        connection, alert_hours, period, places, select(own.hour, own.disposition, func.sum(own.alerts))
    )
    rows = connection.execute(query.group_by(own.hour, own.disposition))
    return Counter({(hour, str(disposition)): int(number) for hour, disposition, number in rows})


def _parts(periods: Iterable[Period]) -> Iterator[tuple[Table, Period]]:
    for period in periods:
        days = period.whole_days()
        parts = [(alert_hours, period)]
        if days is not None:
            before, after = Period(period.since, days.since), Period(days.until, period.until)
            parts = [(alert_hours, before), (alert_days, days), (alert_hours, after)]
        yield from ((table, part) for table, part in parts if part.since < part.until)


def _within(
    connection: Connection, table: Table, part: Period, places: Places, query: Select[Any]
) -> Select[Any]:
    moment = table.c.day if table is alert_days else table.c.hour
    inside = (moment >= part.since, moment < part.until)
    return query.where(*inside, *within(connection, table.c.facet_id, places))

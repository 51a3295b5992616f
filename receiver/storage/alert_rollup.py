"""Counts alerts of a stretch of ids, and adds what is new to alert_facets, alert_hours and alert_days.

An alert's id is made in the transaction that stores it (also when its delivery lay in the spool for hours), so ids say
when a row came to be; received_at, by which it is counted, may be long before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, cast, func, insert, literal_column, select

from receiver.domain.alert import Disposition
from receiver.domain.rollup import Facet
from receiver.storage import report_days
from receiver.storage.tables import alert_days, alert_facets, alert_hours, grafana_alerts
from receiver.storage.upsert import add_to

DAY_NUMBERS = ("alerts", *(one.value for one in Disposition))
UNKNOWN = "unknown"  # the severity of what was rejected
_own = grafana_alerts.c
_within = (_own.alert_id >= bindparam("from_id"), _own.alert_id < bindparam("until_id"))
# The same text on every database: 2026-11-21 08.
_hour = func.substr(cast(_own.received_at, String(26)), 1, 13)
_places = (_own.rule_uid, _own.cluster, _own.namespace, _own.service)
_count = (
    select(
        _hour.label("hour"),
        *_places,
        _own.severity,
        _own.disposition,
        func.count().label("alerts"),
        func.min(_own.alertname).label("name"),
    )
    .where(*_within)
    .group_by(literal_column("hour"), *_places, _own.severity, _own.disposition)
)
_last = select(_own.alert_id).where(*_within).order_by(_own.alert_id).limit(1).offset(bindparam("rows"))


def bound(connection: Connection, from_id: str, until_id: str, rows: int) -> str:
    """Where to end the stretch that begins at `from_id`: at `until_id`, or before it if it has more than `rows`."""
    asked = {"from_id": from_id, "until_id": until_id, "rows": rows}
    return connection.execute(_last, asked).scalar() or until_id


def tally(
    connection: Connection, from_id: str, until_id: str
) -> tuple[dict[str, int], dict[int, tuple[Facet, str]]]:
    """How many alerts there are by `hour|facet|severity|disposition`; and by its id each facet, with a name for it."""
    counts: Counter[str] = Counter()
    facets: dict[int, tuple[Facet, str]] = {}
    for row in connection.execute(_count, {"from_id": from_id, "until_id": until_id}):
        facet = Facet(row.rule_uid, row.cluster, row.namespace, row.service)
        facet_id = facet.facet_id
        facets.setdefault(facet_id, (facet, row.name))
        counts[f"{row.hour}|{facet_id}|{row.severity or UNKNOWN}|{row.disposition}"] += row.alerts
    return dict(counts), facets


def add(connection: Connection, gained: Mapping[str, int], facets: Mapping[int, tuple[Facet, str]]) -> None:
    """Add to the roll-ups what a stretch has gained."""
    hours: list[dict[str, Any]] = []
    days: defaultdict[tuple[datetime, int], Counter[str]] = defaultdict(Counter)
    for key, alerts in sorted(gained.items()):
        text, facet, severity, disposition = key.split("|")
        hour, facet_id = datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=UTC), int(facet)
        hours.append(
            {
                "hour": hour,
                "facet_id": facet_id,
                "severity": severity,
                "disposition": disposition,
                "alerts": alerts,
            }
        )
        days[hour.replace(hour=0), facet_id].update({disposition: alerts, "alerts": alerts})
    know(connection, {row["facet_id"]: facets[row["facet_id"]] for row in hours})
    add_to(connection, alert_hours, hours, ["alerts"])
    # In the order of the primary key, as every batch that locks many rows.
    rows = [
        {"day": day, "facet_id": facet_id, **{name: counts[name] for name in DAY_NUMBERS}}
        for (day, facet_id), counts in sorted(days.items())
    ]
    add_to(connection, alert_days, rows, DAY_NUMBERS)
    report_days.doubt(connection, report_days.ALERTS, {day for day, _ in days})


def know(connection: Connection, facets: Mapping[int, tuple[Facet, str]]) -> None:
    """Insert those facets that are not there yet. Two at once: one fails as a duplicate (1062), and is run again."""
    missing = sorted(set(facets) - set(_known(connection, facets)))
    if missing:
        connection.execute(
            insert(alert_facets),
            [
                {
                    "facet_id": one,
                    "rule_uid": facets[one][0].rule_uid,
                    "cluster": facets[one][0].cluster,
                    "namespace": facets[one][0].namespace,
                    "service": facets[one][0].service,
                    "name": facets[one][1],
                }
                for one in missing
            ],
        )


def _known(connection: Connection, facet_ids: Iterable[int]) -> Iterable[int]:
    ids = sorted(facet_ids)
    for start in range(0, len(ids), 500):
        query = select(alert_facets.c.facet_id).where(alert_facets.c.facet_id.in_(ids[start : start + 500]))
        yield from connection.execute(query).scalars()

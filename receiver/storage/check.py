"""The queries of `receiver db check`: do the books balance? Reads only, in one snapshot, a stretch of rows at a time.

A stretch is a range of a primary key, small enough that each statement stays far below the statement timeout however
large the tables are; every count inside it runs over an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Engine, Row, func, inspect, or_, select

from receiver.domain.alert import AlertStatus, Disposition
from receiver.domain.incident import OPEN_STATUSES
from receiver.storage.engine import reading
from receiver.storage.tables import alert_episodes, deliveries, grafana_alerts, incidents

STRETCH_ROWS = 1000

_WITH_INCIDENT = (Disposition.OPENED.value, Disposition.ATTACHED.value, Disposition.RESOLVED.value)
_WITHOUT_INCIDENT = (Disposition.TEST.value, Disposition.REJECTED.value, Disposition.IGNORED.value)


@dataclass(frozen=True, slots=True)
class Stretch:
    """`rows` rows with keys above `after`, up to and including `upto`."""

    after: str
    upto: str
    rows: int


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection whose queries all see the database as it was at one moment, without holding up any writer."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            yield connection
        return
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield connection


def stretches(connection: Connection, key: Column[str], rows: int = STRETCH_ROWS) -> Iterator[Stretch]:
    """The whole table of `key`, its primary key, in stretches."""
    after = ""
    while True:
        keys = select(key.label("key")).where(key > after).order_by(key).limit(rows).subquery()
        upto, found = connection.execute(select(func.max(keys.c.key), func.count())).one()
        if not found:
            return
        yield Stretch(after, upto, found)
        after = upto


def open_incidents(connection: Connection) -> int:
    """How many incidents are open."""
    return connection.execute(select(func.count()).where(incidents.c.status.in_(OPEN_STATUSES))).scalar_one()


def doubly_open_keys(connection: Connection) -> list[Row[str, int]]:
    """Keys with more than one open incident, and how many they have (I2)."""
    query = (
        select(incidents.c.incident_key, func.count().label("open"))
        .where(incidents.c.status.in_(OPEN_STATUSES))
        .group_by(incidents.c.incident_key)
        .having(func.count() > 1)
    )
    return list(connection.execute(query))


def has_open_key_guard(connection: Connection) -> bool:
    """Whether the unique key that enforces I2 exists."""
    unique = inspect(connection).get_unique_constraints("incidents")
    return any(guard["column_names"] == ["open_key"] for guard in unique)


def miscounted_incidents(connection: Connection, stretch: Stretch) -> list[Row[str, int, int, int, int, int]]:
    """Incidents whose alert_count is not rows + pruned, or whose firing_count is not their firing episodes (I3).

    Columns: incident_id, alert_count, alerts_pruned, kept (rows there are), firing_count, firing (episodes there are).
    """
    kept = select(func.count()).where(grafana_alerts.c.incident_id == incidents.c.incident_id)
    firing = select(func.count()).where(
        alert_episodes.c.incident_id == incidents.c.incident_id,
        alert_episodes.c.status == AlertStatus.FIRING.value,
    )
    counted = (
        select(
            incidents.c.incident_id,
            incidents.c.alert_count,
            incidents.c.alerts_pruned,
            kept.correlate(incidents).scalar_subquery().label("kept"),
            incidents.c.firing_count,
            firing.correlate(incidents).scalar_subquery().label("firing"),
        )
        .where(incidents.c.incident_id > stretch.after, incidents.c.incident_id <= stretch.upto)
        .subquery("counted")
    )
    wrong = or_(
        counted.c.alert_count != counted.c.kept + counted.c.alerts_pruned,
        counted.c.firing_count != counted.c.firing,
    )
    return list(connection.execute(select(counted).where(wrong).order_by(counted.c.incident_id)))


def unbalanced_deliveries(connection: Connection, stretch: Stretch) -> list[Row[str, int, int, int]]:
    """Deliveries that received another number of alerts than they have rows and pruned rows (I4).

    Columns: delivery_id, alerts_received, alerts_pruned, kept (rows there are).
    """
    kept = select(func.count()).where(grafana_alerts.c.delivery_id == deliveries.c.delivery_id)
    counted = (
        select(
            deliveries.c.delivery_id,
            deliveries.c.alerts_received,
            deliveries.c.alerts_pruned,
            kept.correlate(deliveries).scalar_subquery().label("kept"),
        )
        .where(deliveries.c.delivery_id > stretch.after, deliveries.c.delivery_id <= stretch.upto)
        .subquery("counted")
    )
    wrong = counted.c.alerts_received != counted.c.kept + counted.c.alerts_pruned
    return list(connection.execute(select(counted).where(wrong).order_by(counted.c.delivery_id)))


def received(connection: Connection, stretch: Stretch) -> tuple[int, int]:
    """The alerts that the stretch's deliveries received, and how many of their rows are pruned."""
    query = select(
        func.coalesce(func.sum(deliveries.c.alerts_received), 0),
        func.coalesce(func.sum(deliveries.c.alerts_pruned), 0),
    ).where(deliveries.c.delivery_id > stretch.after, deliveries.c.delivery_id <= stretch.upto)
    alerts, pruned = connection.execute(query).one()
    return int(alerts), int(pruned)


def dispositions(connection: Connection, stretch: Stretch) -> dict[str, int]:
    """How many of the stretch's alerts have which disposition."""
    query = (
        select(grafana_alerts.c.disposition, func.count())
        .where(grafana_alerts.c.delivery_id > stretch.after, grafana_alerts.c.delivery_id <= stretch.upto)
        .group_by(grafana_alerts.c.disposition)
    )
    return {str(name): count for name, count in connection.execute(query)}


def misplaced_alerts(connection: Connection, stretch: Stretch) -> list[Row[str, str, str]]:
    """Alerts whose disposition and incident contradict each other. Columns: alert_id, disposition, incident_id."""
    own = grafana_alerts.c
    contradicts = or_(
        own.disposition.in_(_WITH_INCIDENT) & own.incident_id.is_(None),
        own.disposition.in_(_WITHOUT_INCIDENT) & own.incident_id.is_not(None),
    )
    query = (
        select(own.alert_id, own.disposition, own.incident_id)
        .where(own.delivery_id > stretch.after, own.delivery_id <= stretch.upto, contradicts)
        .order_by(own.alert_id)
    )
    return list(connection.execute(query))

"""Alerts and incidents of a made-up time, and what the plain queries over the raw tables say of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from receiver.domain.alert import Disposition
from receiver.domain.delivery import Delivery
from receiver.ids import new_trace_id, new_ulid
from receiver.runtime import Runtime
from receiver.services import incidents as people
from receiver.services.incidents import Deed
from receiver.services.intake import Intake
from receiver.storage.tables import (
    alert_days,
    alert_facets,
    alert_hours,
    deliveries,
    grafana_alerts,
    incident_facts,
    incidents,
)
from tests.builders import bodies

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
Counts = Counter[tuple[Any, ...]]
_place = tuple(alert_facets.c[name] for name in ("rule_uid", "cluster", "namespace", "service"))


class Past:
    """Alerts come in at made-up times, with ids of now, as those of the spool do; people act on the incidents."""

    def __init__(self, runtime: Runtime, seed: int) -> None:
        self.runtime = runtime
        self.random = random.Random(seed)
        self._intake = Intake(runtime)

    def live(self, hours: int, deliveries_an_hour: int) -> None:
        """That many hours up to NOW, each with alerts that begin and end, and people who act."""
        for hour in range(hours, 0, -1):
            batch = [
                self._delivery(NOW - timedelta(hours=hour) + timedelta(seconds=self.random.uniform(0, 3600)))
                for _ in range(deliveries_an_hour)
            ]
            self._intake.record(sorted(batch, key=lambda one: one.received_at))
            self.act()

    def replay(self, ago: timedelta, number: int) -> None:
        """Deliveries that came then and lay in the spool until now."""
        self._intake.replay([self._delivery(NOW - ago) for _ in range(number)])

    def act(self) -> None:
        """Somebody acknowledges, resolves or assigns two open incidents."""
        with self.runtime.engine.connect() as connection:
            query = select(incidents.c.incident_id, incidents.c.status).where(
                incidents.c.status.in_(("active", "acknowledged"))
            )
            found = connection.execute(query.order_by(incidents.c.incident_id)).all()
        if not found:
            return
        who = Deed(self.random.choice(("ada", "grace", "linus")), new_trace_id())
        for one in self.random.sample(found, min(2, len(found))):
            deed = self.random.choice((people.acknowledge, people.resolve, people.assign))
            if deed is people.acknowledge and one.status == "active":
                people.acknowledge(self.runtime, one.incident_id, who)
            elif deed is people.resolve:
                people.resolve(self.runtime, one.incident_id, who)
            else:
                people.assign(self.runtime, one.incident_id, who, self.random.choice(("team-a", "team-b")))

    def _delivery(self, received_at: datetime) -> Delivery:
        alerts: list[Any] = [
            bodies.alert(
                self.random.choice(("Slow", "DiskFull", "Ungewöhnlich")),
                status=self.random.choice(("firing", "firing", "resolved")),
                starts_at=received_at - timedelta(minutes=self.random.randint(0, 3)),
                severity=self.random.choice(("critical", "warning")),
                service=self.random.choice(("checkout", "search", "mail")),
                cluster=self.random.choice(("eu", "us")),
            )
            for _ in range(self.random.randint(1, 4))
        ]
        if self.random.random() < 0.2:
            alerts.append("no alert at all")
        delivery = self._intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id())
        delivery.received_at = received_at
        return delivery


def late_alert(connection: Connection, alert_id: str, received_at: datetime, service: str = "late") -> None:
    """One alert row, written by a transaction that somebody else commits later."""
    delivery_id = new_ulid()
    connection.execute(
        insert(deliveries).values(
            delivery_id=delivery_id,
            source="alertmanager",
            received_at=received_at,
            body=b"",
            body_bytes=0,
            content_type="",
            headers={},
            credential="none",
            signature_verified=False,
            outcome="processed",
            alerts_received=1,
            alerts_truncated=0,
            trace_id=new_trace_id(),
        )
    )
    empty = dict.fromkeys(("alertname", "fingerprint", "cluster", "namespace", "phase"), "")
    connection.execute(
        insert(grafana_alerts).values(
            alert_id=alert_id,
            delivery_id=delivery_id,
            rule_uid="late-rule",
            status="resolved",
            disposition="orphan",
            severity="info",
            service=service,
            received_at=received_at,
            labels={},
            annotations={},
            **empty,
        )
    )


def _where(row: Any) -> tuple[str, ...]:
    return row.rule_uid, row.cluster, row.namespace, row.service


def plain_alerts(engine: Engine) -> Counts:
    """Every alert, counted by hour from the raw rows."""
    own = grafana_alerts.c
    query = select(
        own.received_at, own.rule_uid, own.cluster, own.namespace, own.service, own.severity, own.disposition
    )
    with engine.connect() as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    return Counter(
        (
            row.received_at.replace(minute=0, second=0, microsecond=0),
            *_where(row),
            row.severity or "unknown",
            row.disposition,
        )
        for row in rows
    )


def rolled_alerts(engine: Engine) -> Counts:
    """The same from the roll-up by hours."""
    query = select(alert_hours, *_place).join(alert_facets, alert_facets.c.facet_id == alert_hours.c.facet_id)
    with engine.connect() as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    found: Counts = Counter()
    for row in rows:
        found[row.hour, *_where(row), row.severity, row.disposition] += row.alerts
    return found


def rolled_days(engine: Engine) -> Counts:
    """The roll-up by days; without severities."""
    query = select(alert_days, *_place).join(alert_facets, alert_facets.c.facet_id == alert_days.c.facet_id)
    with engine.connect() as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    found: Counts = Counter()
    for row in rows:
        counts = {one.value: getattr(row, one.value) for one in Disposition}
        assert row.alerts == sum(counts.values()) > 0
        found.update({(row.day, *_where(row), name): number for name, number in counts.items() if number})
    return found


def by_day(counts: Counts) -> Counts:
    """Counts by hour, as those by day are."""
    found: Counts = Counter()
    for (hour, rule, cluster, namespace, service, _, disposition), number in counts.items():
        found[hour.replace(hour=0), rule, cluster, namespace, service, disposition] += number
    return found


def plain_incidents(engine: Engine) -> dict[str, tuple[Any, ...]]:
    """The facts of every incident, worked out from the raw rows."""
    with engine.connect() as connection:
        rows: Sequence[Any] = connection.execute(select(incidents).order_by(incidents.c.incident_id)).all()
    found: dict[str, tuple[Any, ...]] = {}
    last: dict[str, Any] = {}
    for row in rows:
        before = last.get(row.incident_key)
        found[row.incident_id] = (
            *_where(row),
            row.opened_at,
            row.status,
            row.priority,
            row.severity,
            row.owner,
            row.acknowledged_by,
            row.resolved_by,
            _seconds(row.opened_at, row.acknowledged_at),
            _seconds(row.opened_at, row.resolved_at),
            _seconds(before.resolved_at, row.opened_at) if before else None,
        )
        last[row.incident_key] = row
    return found


def recorded_incidents(engine: Engine) -> dict[str, tuple[Any, ...]]:
    """The same from the recorded facts."""
    place = alert_facets.c
    query = select(incident_facts, place.rule_uid, place.cluster, place.namespace, place.service).join(
        alert_facets, place.facet_id == incident_facts.c.facet_id
    )
    with engine.connect() as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    return {
        row.incident_id: (
            *_where(row),
            row.opened_at,
            row.status,
            row.priority,
            row.severity,
            row.owner,
            row.acknowledged_by,
            row.resolved_by,
            row.ack_seconds,
            row.resolve_seconds,
            row.calm_seconds,
        )
        for row in rows
    }


def _seconds(begin: datetime | None, end: datetime | None) -> int | None:
    return None if begin is None or end is None else max(0, int((end - begin).total_seconds()))

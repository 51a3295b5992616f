"""Stored alerts in the order in which they were decided on, for a look at what other rules would have made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine, RowMapping, select

from receiver.storage.engine import reading
from receiver.storage.tables import deliveries, grafana_alerts

_PAGE_ROWS = 1000

_own = grafana_alerts.c
_columns = (
    _own.alert_id,
    _own.incident_key,
    _own.rule_uid,
    _own.alertname,
    _own.fingerprint,
    _own.status,
    _own.disposition,
    _own.severity,
    _own.cluster,
    _own.namespace,
    _own.service,
    _own.phase,
    _own.starts_at,
    _own.ends_at,
    _own.received_at,
    _own.labels,
    deliveries.c.source,
)


def alerts_from(engine: Engine, first_id: str) -> Iterator[RowMapping]:
    """All alerts with ids from `first_id` on, a page at a time: no snapshot, no lock, little memory."""
    after = first_id
    while True:
        with reading(engine) as connection:
            page = _page(connection, after)
        yield from page
        if len(page) < _PAGE_ROWS:
            return
        after = page[-1]["alert_id"]


def _page(connection: Connection, after: str) -> Sequence[RowMapping]:
    statement = (
        select(*_columns)
        .join(deliveries, deliveries.c.delivery_id == _own.delivery_id)
        .where(_own.alert_id > after)
        .order_by(_own.alert_id)
        .limit(_PAGE_ROWS)
    )
    return connection.execute(statement).mappings().all()

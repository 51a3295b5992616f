"""Rows of `grafana_alerts`: one for every alert received, whatever became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from receiver.domain.alert import Alert, Disposition, RejectedAlert
from receiver.storage.bulk import BulkInsert
from receiver.storage.tables import grafana_alerts
from receiver.storage.text import fit, fit_document

# A larger alert keeps its exact text only in its delivery's body, because of the server's max_allowed_packet.
LARGEST_RAW_CHARACTERS = 1024 * 1024

_insert = BulkInsert(grafana_alerts, [column.name for column in grafana_alerts.c])


@dataclass(slots=True)
class AlertRow:
    """One received alert with its decision."""

    alert_id: str
    delivery_id: str
    received_at: datetime
    alert: Alert | RejectedAlert
    disposition: Disposition
    incident_id: str | None = None
    reason: str | None = None


def insert_many(connection: Connection, rows: Iterable[AlertRow]) -> None:
    """Insert the rows in the order in which their ids were made.

    Each then goes to the end of its table. In another order pages were split, and stayed half empty: a third more disk.
    For each incident one row counts for all: the trigger's update is as dear as a row's own insert.
    """
    values = [_values(row) for row in rows]
    if values:
        _let_one_count(values)
        _insert.execute(connection, values)


def _let_one_count(rows: Iterable[dict[str, Any]]) -> None:
    """Set `counts_for`: in the latest row of an incident how many of `rows` are the incident's, in its others 0."""
    counting: dict[str, dict[str, Any]] = {}
    for row in rows:
        row["counts_for"] = 1
        if (incident_id := row["incident_id"]) is None:
            continue
        before = counting.setdefault(incident_id, row)
        if before is row:
            continue
        # The trigger moves last_seen_at, too.
        later, earlier = (row, before) if row["received_at"] >= before["received_at"] else (before, row)
        later["counts_for"], earlier["counts_for"] = before["counts_for"] + 1, 0
        counting[incident_id] = later


def _values(row: AlertRow) -> dict[str, Any]:
    alert = row.alert
    decided = {
        "alert_id": row.alert_id,
        "delivery_id": row.delivery_id,
        "incident_id": row.incident_id,
        "disposition": row.disposition,
        "received_at": row.received_at,
        "raw_payload": alert.raw if len(alert.raw) <= LARGEST_RAW_CHARACTERS else None,
    }
    if isinstance(alert, RejectedAlert):
        return decided | _NOTHING_KNOWN | {"reason": fit(alert.reason, 500)}
    return decided | {
        "incident_key": alert.incident_key,
        "rule_uid": fit(alert.rule_uid, 190),
        "alertname": fit(alert.alertname, 190),
        "fingerprint": alert.fingerprint,
        "status": alert.status,
        "reason": None if row.reason is None else fit(row.reason, 500),
        "severity": alert.severity,
        "cluster": fit(alert.cluster, 190),
        "namespace": fit(alert.namespace, 190),
        "service": fit(alert.service, 190),
        "phase": fit(alert.phase, 190),
        "state_reason": fit(alert.state_reason, 64) or None,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "labels": fit_document(alert.labels),
        "annotations": fit_document(alert.annotations),
    }


_NOTHING_KNOWN: dict[str, Any] = {
    "incident_key": None,
    "rule_uid": "",
    "alertname": "",
    "fingerprint": "",
    "status": None,
    "severity": None,
    "cluster": "",
    "namespace": "",
    "service": "",
    "phase": "",
    "state_reason": None,
    "starts_at": None,
    "ends_at": None,
    "labels": {},
    "annotations": {},
}

"""Rows of `incidents`, as the intake and the people's actions lock and write them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from receiver.domain.incident import RESOLVED_BY_ALERT
from receiver.domain.ledger import IncidentState
from receiver.storage.bulk import BulkInsert
from receiver.storage.keyed_select import KeyedSelect
from receiver.storage.tables import incidents
from receiver.storage.text import fit, fit_document

# The one lock that everybody takes first: people's actions, the intake, the worker. The hint keeps MySQL from scanning
# a small table, which would lock incidents of other keys.
_OPEN_KEY_HINT = "FORCE INDEX (uq_incidents_open_key)"
_lock_open = KeyedSelect(
    lambda keys: (
        select(
            incidents.c.incident_id,
            incidents.c.incident_key,
            incidents.c.status,
            incidents.c.severity,
            incidents.c.priority,
            incidents.c.alert_count,
            incidents.c.firing_count,
            incidents.c.number,
        )
        .where(incidents.c.open_key.in_(keys))
        .order_by(incidents.c.open_key)
        .with_hint(incidents, _OPEN_KEY_HINT, "mysql")
        .with_hint(incidents, _OPEN_KEY_HINT, "mariadb")
        .with_for_update()
    )
)
_last_ids = (
    select(incidents.c.incident_key, func.max(incidents.c.incident_id))
    .where(incidents.c.incident_key.in_(bindparam("keys", expanding=True)))
    .group_by(incidents.c.incident_key)
)
_numbers = KeyedSelect(
    lambda ids: select(incidents.c.incident_id, incidents.c.number).where(incidents.c.incident_id.in_(ids))
)
_details = select(
    incidents.c.incident_id,
    incidents.c.rule_uid,
    incidents.c.cluster,
    incidents.c.namespace,
    incidents.c.service,
    incidents.c.phase,
    incidents.c.mitigation,
    incidents.c.labels,
).where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
_OPENED_COLUMNS = (
    "incident_id",
    "incident_key",
    "status",
    "priority",
    "severity",
    "title",
    "summary",
    "rule_uid",
    "cluster",
    "namespace",
    "service",
    "phase",
    "labels",
    "links",
    "firing_count",
    "opened_at",
    "last_seen_at",
    "resolved_at",
    "resolved_by",
    "trace_id",
)
_insert = BulkInsert(incidents, _OPENED_COLUMNS)
_update = (
    update(incidents)
    .where(incidents.c.incident_id == bindparam("id"))
    .values(
        {
            column: bindparam(f"new_{column}")
            for column in ("status", "severity", "priority", "firing_count", "resolved_at", "resolved_by")
        }
    )
)


def lock_open(connection: Connection, keys: Collection[str]) -> dict[str, IncidentState]:
    """The open incidents of these keys, by key; their rows are locked in the order of their keys."""
    rows = _lock_open.rows(connection, sorted(keys))
    states = (IncidentState(*row) for row in rows)
    return {state.incident_key: state for state in states}


def details(connection: Connection, ids: Collection[str]) -> dict[str, RowMapping]:
    """What `lock_open` leaves out because few need it: rule, place, mitigation and labels of these incidents, by id."""
    found = connection.execute(_details, {"ids": list(ids)}).mappings()
    return {row["incident_id"]: row for row in found}


def last_ids(connection: Connection, keys: Collection[str]) -> dict[str, str]:
    """The newest incident id of each key that ever had one."""
    return {key: newest for key, newest in connection.execute(_last_ids, {"keys": sorted(keys)})}


def insert_opened(connection: Connection, opened: Sequence[IncidentState]) -> None:
    """Insert the incidents that a batch opened, and note the numbers that the database gave them.

    alert_count starts at 0: the trigger counts the alert rows. Another open incident of the same key makes this fail
    (1062, or 1644 from the trigger): roll back and run the transaction again.
    """
    _insert.execute(connection, [_row(state) for state in opened])
    numbers = dict(_numbers.rows(connection, [state.incident_id for state in opened]))
    for state in opened:
        state.number = numbers[state.incident_id]


def update_touched(connection: Connection, touched: Iterable[IncidentState]) -> None:
    """Write what a batch changed of incidents that were there before. Their locks must be held."""
    rows = [
        {
            "id": state.incident_id,
            "new_status": state.status,
            "new_severity": state.severity,
            "new_priority": state.priority,
            "new_firing_count": state.firing_count,
            "new_resolved_at": state.resolved_at,
            "new_resolved_by": RESOLVED_BY_ALERT if state.resolved_at else None,
        }
        for state in touched
    ]
    if rows:
        connection.execute(_update, rows)


def _row(state: IncidentState) -> dict[str, Any]:
    alert = state.opened_by
    assert alert is not None  # only opened incidents come here
    return {
        "incident_id": state.incident_id,
        "incident_key": state.incident_key,
        "status": state.status,
        "priority": state.priority,
        "severity": state.severity,
        "title": fit(alert.title, 255),
        "summary": fit(alert.summary, 2000),
        "rule_uid": fit(alert.rule_uid, 190),
        "cluster": fit(alert.cluster, 190),
        "namespace": fit(alert.namespace, 190),
        "service": fit(alert.service, 190),
        "phase": fit(alert.phase, 190),
        "labels": fit_document(alert.labels),
        "links": state.links,
        "firing_count": state.firing_count,
        "opened_at": state.opened_at,
        "last_seen_at": state.last_seen_at,
        "resolved_at": state.resolved_at,
        "resolved_by": RESOLVED_BY_ALERT if state.resolved_at else None,
        "trace_id": state.trace_id,
    }

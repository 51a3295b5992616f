"""Rows of `deliveries`: each accepted request, with its body byte for byte."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from receiver.domain.delivery import Answer, Delivery, IncidentView, Outcome
from receiver.storage.bulk import BulkInsert
from receiver.storage.tables import deliveries, grafana_alerts, incidents
from receiver.storage.text import fit

# A body is sent in pieces of this size, so that no statement comes near the server's max_allowed_packet (16 MiB on
# MariaDB by default), also when each of its bytes has to be escaped.
PIECE_BYTES = 2 * 1024 * 1024

_COLUMNS = (
    "delivery_id",
    "source",
    "received_at",
    "body",
    "body_bytes",
    "content_type",
    "headers",
    "credential",
    "signature_verified",
    "outcome",
    "reason",
    "alerts_received",
    "alerts_truncated",
    "trace_id",
)
_insert = BulkInsert(deliveries, _COLUMNS)
_append = (
    update(deliveries)
    .where(deliveries.c.delivery_id == bindparam("id"))
    .values(body=func.concat(deliveries.c.body, bindparam("piece", type_=deliveries.c.body.type)))
)
_append_on_sqlite = (
    update(deliveries)
    .where(deliveries.c.delivery_id == bindparam("id"))
    .values(body=bindparam("piece", type_=deliveries.c.body.type))
)


def insert_many(connection: Connection, batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
    """Insert the deliveries with their outcomes, in one statement as long as their bodies are small."""
    _insert.execute(connection, [_row(one, outcome) for one, outcome in zip(batch, outcomes, strict=True)])
    for one in batch:
        if len(one.body) > PIECE_BYTES:
            _append_pieces(connection, one)


def _append_pieces(connection: Connection, delivery: Delivery) -> None:
    if connection.dialect.name == "sqlite":
        # No packet limit there, and `||` would make text of the bytes.
        connection.execute(_append_on_sqlite, {"id": delivery.delivery_id, "piece": delivery.body})
        return
    for start in range(PIECE_BYTES, len(delivery.body), PIECE_BYTES):
        piece = delivery.body[start : start + PIECE_BYTES]
        connection.execute(_append, {"id": delivery.delivery_id, "piece": piece})


def _row(delivery: Delivery, outcome: Outcome) -> dict[str, Any]:
    parsed = delivery.parsed
    return {
        "delivery_id": delivery.delivery_id,
        "source": delivery.source,
        "received_at": delivery.received_at,
        "body": delivery.body[:PIECE_BYTES],
        "body_bytes": len(delivery.body),
        "content_type": fit(delivery.content_type, 255),
        "headers": delivery.headers,
        "credential": delivery.credential,
        "signature_verified": delivery.signature_verified,
        "outcome": outcome.value,
        "reason": fit(delivery.reason, 500) if delivery.reason is not None else None,
        "alerts_received": len(parsed.alerts) if parsed else 0,
        "alerts_truncated": parsed.truncated if parsed else 0,
        "trace_id": delivery.trace_id,
    }


def recorded(connection: Connection, delivery_ids: Collection[str]) -> dict[str, Answer]:
    """The answers of those deliveries that are in the database already, rebuilt from their rows.

    Needed when a COMMIT's outcome was unknown and the transaction is run again.
    """
    rows = connection.execute(
        select(
            deliveries.c.delivery_id, deliveries.c.trace_id, deliveries.c.outcome, deliveries.c.reason
        ).where(deliveries.c.delivery_id.in_(delivery_ids))
    )
    answers = {
        row.delivery_id: Answer(row.delivery_id, row.trace_id, Outcome(row.outcome), reason=row.reason)
        for row in rows
    }
    for answer in answers.values():
        _fill(connection, answer)
    return answers


def _fill(connection: Connection, answer: Answer) -> None:
    own = grafana_alerts.c.delivery_id == answer.delivery_id
    counted = (
        select(grafana_alerts.c.disposition, func.count()).where(own).group_by(grafana_alerts.c.disposition)
    )
    answer.counts = {disposition: count for disposition, count in connection.execute(counted)}
    joined = select(
        incidents.c.incident_id,
        incidents.c.number,
        incidents.c.incident_key,
        incidents.c.status,
        incidents.c.alert_count,
        func.min(grafana_alerts.c.disposition).label("disposition"),
    ).join_from(grafana_alerts, incidents, grafana_alerts.c.incident_id == incidents.c.incident_id)
    for row in connection.execute(joined.where(own).group_by(incidents.c.incident_id)):
        answer.incidents.append(IncidentView(*row))

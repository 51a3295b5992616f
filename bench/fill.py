"""Fills a MariaDB of ours with a made-up past. The server multiplies it: incidents come from here, their alerts, events
and messages are made of them by INSERT ... SELECT over its sequence tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy
from sqlalchemy import Connection, Engine

from bench.history import PastIncident
from receiver.storage.bulk import BulkInsert
from receiver.storage.tables import incidents

_AT_ONCE = 2_000
# The trigger would update `incidents`, which the same statement reads (error 1442): the count is inserted right away.
_TRIGGER = "trg_update_alert_count_on_insert"
# Incidents by how many alerts they have, (above, at most): each statement goes through a sequence as long as the most.
_BANDS = ((0, 40), (40, 400), (400, 20_000))
_COLUMNS = (
    "incident_id", "number", "incident_key", "status", "priority", "severity", "title", "summary", "rule_uid",
    "cluster", "namespace", "service", "phase", "labels", "links", "owner", "alert_count", "firing_count", "opened_at",
    "acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by", "last_seen_at", "trace_id",
)  # fmt: skip
_insert = BulkInsert(incidents, _COLUMNS)
_TRACE = "0123456789abcdef" * 2

# Crockford's digits have no I, L, O and U: CONV's last ones move up, from the last to the first.
_MOVES = tuple(zip("VUTSRQPONMLKJI", "ZYXWVTSRQPNMKJ", strict=True))


def _ulid(moment: str, number: str) -> str:
    digits = f"LPAD(CONV(FLOOR(UNIX_TIMESTAMP({moment}) * 1000), 10, 32), 10, '0')"
    for old, new in _MOVES:
        digits = f"REPLACE({digits}, '{old}', '{new}')"
    return f"CONCAT({digits}, LPAD(HEX({number}), 16, '0'))"


_END = "COALESCE(i.resolved_at, i.last_seen_at)"
# Evenly over the incident's life: the first opens it, the last one ends it.
_AT = (
    f"TIMESTAMPADD(MICROSECOND, TIMESTAMPDIFF(MICROSECOND, i.opened_at, {_END}) * s.seq"
    " DIV GREATEST(i.alert_count - 1, 1), i.opened_at)"
)
_LAST = "s.seq = i.alert_count - 1 AND s.seq > 0 AND i.resolved_by = 'alert'"
_DISPOSITION = (
    f"CASE WHEN s.seq = 0 THEN 'opened' WHEN {_LAST} THEN 'resolved'"
    " WHEN s.seq % 5 = 1 THEN 'attached' ELSE 'repeated' END"
)
_RANGE = "i.number BETWEEN :low AND :high"
_BAND = "i.alert_count > :above AND i.alert_count <= :most"
_DELIVERY = _ulid("i.opened_at", "i.number * 65536 + s.seq DIV 20")
_LOOSE_AT = _END
_LOOSE_DELIVERY = _ulid(_LOOSE_AT, "i.number * 65536 + 65535")
_RAW = """CONCAT('{"status":"firing","labels":', i.labels, ',"annotations":{"summary":"', i.title,
 '","description":"', REPEAT('Something took longer than it should. ', 12), '"},"startsAt":"', i.opened_at,
 '","generatorURL":"http://prometheus.example:9090/graph?g0.expr=up","fingerprint":"',
 LEFT(MD5(i.incident_key), 16), '"}')"""
_ALERT = """(alert_id, delivery_id, incident_id, incident_key, rule_uid, alertname, fingerprint, status, disposition,
 severity, cluster, namespace, service, phase, starts_at, received_at, labels, annotations, raw_payload)"""
_OF_INCIDENT = "i.severity, i.cluster, i.namespace, i.service, i.phase, i.opened_at"
_DELIVERED = """(delivery_id, source, received_at, body, body_bytes, content_type, headers, credential,
 signature_verified, outcome, alerts_received, alerts_truncated, trace_id)"""
# Retention has emptied the bodies.
_AS_DELIVERED = "'', 12000, 'application/json', '{}', 'bearer', 0, 'processed'"
_NAME = "CONCAT('Alert', RIGHT(i.rule_uid, 4))"

STATEMENTS = (
    f"""INSERT INTO deliveries {_DELIVERED}
 SELECT {_DELIVERY}, 'alertmanager', {_AT}, {_AS_DELIVERED}, LEAST(20, i.alert_count - s.seq), 0, i.trace_id
 FROM incidents i STRAIGHT_JOIN seq_0_to_:most_step_20 s ON s.seq < i.alert_count WHERE {_BAND} AND {_RANGE}""",
    f"""INSERT INTO grafana_alerts {_ALERT}
 SELECT {_ulid(_AT, "i.number * 65536 + s.seq")}, {_DELIVERY}, i.incident_id, i.incident_key, i.rule_uid, {_NAME},
 LEFT(MD5(i.incident_key), 16), IF({_LAST}, 'resolved', 'firing'), {_DISPOSITION}, {_OF_INCIDENT}, {_AT}, i.labels,
 '{{"summary":"It is slow"}}', {_RAW}
 FROM incidents i STRAIGHT_JOIN seq_0_to_:most s ON s.seq < i.alert_count WHERE {_BAND} AND {_RANGE}""",
    f"""INSERT INTO deliveries {_DELIVERED}
 SELECT {_LOOSE_DELIVERY}, 'grafana', {_LOOSE_AT}, {_AS_DELIVERED}, 1, 0, i.trace_id
 FROM incidents i WHERE i.number % 4 = 0 AND {_RANGE}""",
    f"""INSERT INTO grafana_alerts {_ALERT}
 SELECT {_ulid(_LOOSE_AT, "i.number * 65536 + 65535")}, {_LOOSE_DELIVERY}, NULL, i.incident_key, i.rule_uid, {_NAME},
 LEFT(MD5(i.incident_key), 16), 'resolved', 'orphan', {_OF_INCIDENT}, {_LOOSE_AT}, i.labels, '{{}}', '{{}}'
 FROM incidents i WHERE i.number % 4 = 0 AND {_RANGE}""",
    f"""INSERT INTO alert_episodes (episode_key, incident_key, source, fingerprint, status, starts_at, ended_at,
 ended_by, incident_id, last_seen_at)
 SELECT CONCAT(i.incident_key, '-', LPAD(HEX(i.number), 16, '0')), i.incident_key, 'alertmanager',
 LEFT(MD5(i.incident_key), 16), IF(i.resolved_at IS NULL, 'firing', 'resolved'), i.opened_at, i.resolved_at,
 IF(i.resolved_at IS NULL, NULL, 'sender'), i.incident_id, i.last_seen_at FROM incidents i WHERE {_RANGE}""",
    f"""INSERT INTO events (type, incident_id, actor, trace_id, payload, created_at, published_at)
 SELECT ELT(s.seq, 'incident.opened', 'notification.requested', 'notification.delivered', 'incident.acknowledged',
 'incident.resolved'), i.incident_id, ELT(s.seq, 'alertmanager', 'alertmanager', 'worker', i.acknowledged_by,
 i.resolved_by), i.trace_id, '{{}}',
 ELT(s.seq, i.opened_at, i.opened_at, i.opened_at, i.acknowledged_at, i.resolved_at), i.opened_at
 FROM incidents i JOIN seq_1_to_5 s
 WHERE {_RANGE} AND (s.seq < 4 OR s.seq = 4 AND i.acknowledged_at IS NOT NULL
 OR s.seq = 5 AND i.resolved_at IS NOT NULL)
 ORDER BY i.number, s.seq""",
    f"""INSERT INTO notifications (incident_id, channel, template, sequence, state, job_id, attempt, alert_count,
 severity, finished_at)
 SELECT i.incident_id, IF(s.seq = 3, 'pagerduty', 'slack'), IF(s.seq = 2, 'resolved', 'opened'), 0,
 CASE WHEN i.number % 97 = 0 THEN 'dead' WHEN s.seq = 2 AND i.number % 7 = 0 THEN 'superseded'
 WHEN i.number % 11 = 0 THEN 'bundled' ELSE 'sent' END, i.number * 4 + s.seq, 1, 1, i.severity,
 IF(s.seq = 2, i.resolved_at, TIMESTAMPADD(SECOND, 2, i.opened_at)) FROM incidents i JOIN seq_1_to_3 s
 WHERE {_RANGE} AND (s.seq = 1 OR s.seq = 2 AND i.resolved_at IS NOT NULL
 OR s.seq = 3 AND i.priority IN ('P0', 'P1'))""",
    f"""INSERT INTO remediation_actions (action_id, incident_id, ordinal, type, target, parameters, options,
 requested_by, reason, state, is_dry_run, requested_at, started_at, finished_at, output, trace_id)
 SELECT CONCAT('ACT-', LPAD(i.number, 20, '0')), i.incident_id, 1, ELT(1 + i.number DIV 8 % 3, 'kubernetes.scale',
 'kubernetes.restart', 'http.call'), CONCAT('kubernetes:shop/deployment/', i.service), '{{}}', '{{}}',
 'rule scale-up', 'slow',
 ELT(1 + i.number DIV 16 % 6, 'completed', 'completed', 'completed', 'failed', 'refused', 'unknown'), i.number % 40 = 0,
 TIMESTAMPADD(SECOND, 5, i.opened_at), TIMESTAMPADD(SECOND, 6, i.opened_at), TIMESTAMPADD(SECOND, 30, i.opened_at),
 REPEAT('scaled; ', 40), i.trace_id FROM incidents i WHERE i.number % 8 = 0 AND {_RANGE}""",
)


def fill(url: str, past: Sequence[PastIncident], until: datetime, tell: Callable[[str], None]) -> None:
    """Store the past in the empty, migrated database; `tell` hears how far it is. Not for a database that is in use."""
    engine = sqlalchemy.create_engine(url, connect_args={"init_command": "SET time_zone='+00:00'"})
    began = time.monotonic()
    try:
        with _bulk_load(engine) as connection:
            for start in range(0, len(past), _AT_ONCE):
                part = past[start : start + _AT_ONCE]
                _insert.execute(connection, [_row(start + n, one, until) for n, one in enumerate(part, 1)])
                for statement in _statements(start + 1, start + len(part)):
                    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
                connection.commit()
                if (start // _AT_ONCE) % 10 == 0:
                    tell(
                        f"{start + len(part):,} of {len(past):,} incidents, {time.monotonic() - began:.0f} s"
                    )
    finally:
        engine.dispose()


def _statements(low: int, high: int) -> Iterator[str]:
    for statement in STATEMENTS:
        text = statement.replace(":low", str(low)).replace(":high", str(high))
        for above, most in _BANDS if ":most" in text else _BANDS[:1]:
            yield text.replace(":above", str(above)).replace(":most", str(most))


@contextmanager
def _bulk_load(engine: Engine) -> Iterator[Connection]:
    """A connection that does not check what is right by construction, on a server that flushes now and then."""
    with engine.connect() as connection:
        create = str(connection.exec_driver_sql(f"SHOW CREATE TRIGGER {_TRIGGER}").one()[2])
        flush = connection.exec_driver_sql("SELECT @@innodb_flush_log_at_trx_commit").scalar_one()
        for statement in (
            f"DROP TRIGGER {_TRIGGER}",
            "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
        ):
            connection.exec_driver_sql(statement)
        try:
            yield connection
        finally:
            connection.rollback()
            connection.exec_driver_sql(create, execution_options={"no_parameters": True})
            connection.exec_driver_sql(f"SET GLOBAL innodb_flush_log_at_trx_commit = {flush}")


def _row(number: int, one: PastIncident, until: datetime) -> dict[str, object]:
    place = one.place
    return {
        "incident_id": one.incident_id,
        "number": number,
        "incident_key": place.key,
        "status": one.status.value,
        "priority": place.priority,
        "severity": place.severity,
        "title": f"Alert{place.rule:04}: {place.service_name} is slow",
        "summary": f"The 95th percentile of {place.service_name} is above its objective",
        "rule_uid": place.rule_uid,
        "cluster": place.cluster,
        "namespace": "shop",
        "service": place.service_name,
        "phase": "",
        "labels": {
            "alertname": f"Alert{place.rule:04}",
            "severity": place.severity,
            "cluster": place.cluster,
            "namespace": "shop",
            "service": place.service_name,
            "team": one.owner or "",
        },
        "links": {"runbook": "https://runbooks.example/slow", "dashboard": "https://grafana.example/d/slow"},
        "owner": one.owner,
        "alert_count": one.alerts,
        "firing_count": 0 if one.resolved_at else 1,
        "opened_at": one.opened_at,
        "acknowledged_at": one.acknowledged_at,
        "acknowledged_by": one.acknowledged_by,
        "resolved_at": one.resolved_at,
        "resolved_by": one.resolved_by,
        "last_seen_at": one.resolved_at or max(one.opened_at, until - timedelta(minutes=number % 60)),
        "trace_id": _TRACE,
    }

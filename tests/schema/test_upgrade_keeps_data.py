"""A database of an earlier release keeps its rows when it is upgraded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade

ROW = """INSERT INTO notifications (notification_id, incident_id, channel, template, sequence, state, job_id, attempt,
  alert_count, severity, detail, provider_ref, finished_at) VALUES (:number, 'INC-1', 'slack', :template, 0, 'sent',
  1, 1, 3, 'info', 'größer 日本', NULL, '2026-11-21 12:00:00.123456')"""

# As a release before 0005 writes them.
DELIVERY = """INSERT INTO deliveries (delivery_id, source, received_at, body, body_bytes, content_type, headers,
  credential, signature_verified, outcome, alerts_received, alerts_truncated, trace_id)
  VALUES ('D', 'test', '2026-11-21 12:00:00', '{}', 2, '', '{}', 'none', FALSE, 'processed', 1, 0, 'T')"""
INCIDENT = """INSERT INTO incidents (incident_id, incident_key, status, priority, severity, title, summary, rule_uid,
  cluster, namespace, service, phase, labels, links, opened_at, last_seen_at, trace_id)
  VALUES ('INC-1', 'K', 'active', 'P1', 'critical', '', '', '', '', '', '', '', '{}', '{}',
  '2026-11-21 12:00:00', '2026-11-21 12:00:00', 'T')"""
ALERT = """INSERT INTO grafana_alerts (alert_id, delivery_id, incident_id, incident_key, rule_uid, alertname,
  fingerprint, disposition, cluster, namespace, service, phase, received_at, labels, annotations)
  VALUES (:id, 'D', 'INC-1', 'K', '', '', '', 'attached', '', '', '', '', '2026-11-21 12:00:01', '{}', '{}')"""


def test_notifications_survive_and_may_tell_of_acknowledgements_from_0002_on(empty_engine: Engine) -> None:
    upgrade(empty_engine, "0001")
    before = {"number": 7, "template": "opened"}, {"number": 9, "template": "test"}
    with empty_engine.begin() as connection:
        connection.execute(text(ROW), before)
        rows = connection.execute(text("SELECT * FROM notifications ORDER BY notification_id")).all()
    with pytest.raises(DBAPIError), empty_engine.begin() as connection:
        connection.execute(text(ROW), {"number": 10, "template": "acknowledged"})
    upgrade(empty_engine, "0002")
    with empty_engine.begin() as connection:
        assert connection.execute(text("SELECT * FROM notifications ORDER BY notification_id")).all() == rows
        connection.execute(text(ROW), {"number": 10, "template": "acknowledged"})
    for refused in ("opened", "bundle"):  # said already; no such word
        with pytest.raises(DBAPIError), empty_engine.begin() as connection:
            connection.execute(text(ROW), {"number": 11, "template": refused})


def test_notifications_survive_and_may_tell_of_actions_from_0003_on(empty_engine: Engine) -> None:
    upgrade(empty_engine, "0002")
    with empty_engine.begin() as connection:
        connection.execute(
            text(ROW), [{"number": 7, "template": "acknowledged"}, {"number": 9, "template": "test"}]
        )
        rows = connection.execute(text("SELECT * FROM notifications ORDER BY notification_id")).all()
    upgrade(empty_engine, "0003")
    with empty_engine.begin() as connection:
        assert connection.execute(text("SELECT * FROM notifications ORDER BY notification_id")).all() == rows
        connection.execute(text(ROW), {"number": 10, "template": "action_failed"})
    for refused in ("acknowledged", "shouted"):  # said already; no such word
        with pytest.raises(DBAPIError), empty_engine.begin() as connection:
            connection.execute(text(ROW), {"number": 11, "template": refused})


def test_alerts_of_the_previous_release_are_counted_before_and_after_0005(empty_engine: Engine) -> None:
    upgrade(empty_engine, "0004")
    insert_delivery, insert_incident, insert_alert = (text(one) for one in (DELIVERY, INCIDENT, ALERT))
    with empty_engine.begin() as connection:
        connection.execute(insert_delivery)
        connection.execute(insert_incident)
        connection.execute(insert_alert, [{"id": f"{place:026}"} for place in range(3)])
    upgrade(empty_engine, "0005")
    count = text("SELECT alert_count FROM incidents")
    with empty_engine.begin() as connection:
        assert connection.execute(count).scalar_one() == 3
        connection.execute(insert_alert, [{"id": f"{place:026}"} for place in range(3, 5)])
        assert connection.execute(count).scalar_one() == 5
        assert set(connection.execute(text("SELECT counts_for FROM grafana_alerts")).scalars()) == {1}


def test_an_upgrade_that_broke_off_half_way_can_be_repeated(new_mysql_database: Callable[[], str]) -> None:
    engine = create_engine(new_mysql_database())
    upgrade(engine)
    with engine.begin() as connection:  # MySQL keeps the steps that were done; SQLite takes all of them back
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
        connection.execute(text("DROP TRIGGER trg_update_alert_count_on_insert"))
    upgrade(engine)
    with engine.connect() as connection:
        names = connection.execute(text("SHOW TRIGGERS")).scalars().all()
    engine.dispose()
    assert "trg_update_alert_count_on_insert" in names

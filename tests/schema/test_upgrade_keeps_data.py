"""A database of an earlier release keeps its rows when it is upgraded."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from receiver.storage.migrate import upgrade

ROW = """INSERT INTO notifications (notification_id, incident_id, channel, template, sequence, state, job_id, attempt,
  alert_count, severity, detail, provider_ref, finished_at) VALUES (:number, 'INC-1', 'slack', :template, 0, 'sent',
  1, 1, 3, 'info', 'größer 日本', NULL, '2026-11-21 12:00:00.123456')"""


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

"""The made-up past is one that the receiver could have had, and its reports read no table in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bench import reports
from bench.data import make
from receiver.clock import utc_now
from receiver.services.check import check_database
from receiver.services.reports.ask import Wish, report
from receiver.services.reports.registry import REPORTS
from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from tests.builders.plain_reports import PLAIN, Raw
from tests.builders.rollups import (
    by_day,
    plain_alerts,
    plain_incidents,
    recorded_incidents,
    rolled_alerts,
    rolled_days,
)
from tests.integration.test_reports import assert_says


@pytest.fixture
def lived(new_mysql_database: Callable[[], str]) -> Any:
    url = new_mysql_database()
    made = create_engine(url)
    upgrade(made)
    make(url, alerts=20_000, incidents=1_200, days=60)
    yield made
    made.dispose()


def test_the_past_balances_its_roll_ups_are_right_and_reports_say_so(lived: Engine) -> None:
    assert check_database(lived).is_clean
    plain = plain_alerts(lived)
    assert plain.total() > 15_000
    assert rolled_alerts(lived) == plain and rolled_days(lived) == by_day(plain)
    assert recorded_incidents(lived) == plain_incidents(lived)
    now = utc_now()
    wish = Wish("2026-01-01", limit=1000)
    raw = Raw(lived, wish_since(), now)
    for name in REPORTS:
        assert_says(report(lived, name, wish, now), PLAIN[name](raw))
    _assert_reads_little(lived)
    assert "incidents?status=open" in reports.measure(lived, 1, ("7d",))


def wish_since() -> Any:
    return utc_now().replace(year=2026, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def _assert_reads_little(engine: Engine) -> None:
    """No statement of a report names grafana_alerts; none scans a table that grows without end."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    for name in REPORTS:
        report(engine, name, Wish("3d"), utc_now())
    event.remove(engine, "before_cursor_execute", note)
    looked = 0
    with engine.connect() as connection:
        for statement, parameters in asked:
            if not statement.startswith("SELECT") or "rollup_slices" in statement:
                continue
            assert "grafana_alerts" not in statement
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings().all()
            for step in plan:
                if step["table"] in (
                    "alert_hours",
                    "alert_days",
                    "incident_facts",
                    "incidents",
                    "notifications",
                ):
                    assert step["type"] != "ALL", (statement, dict(step))
                    looked += 1
    assert looked >= 6

"""`receiver db prune --archive-to` killed with SIGKILL: what is gone from the database stands in a whole file."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from receiver.clock import utc_now
from receiver.ids import new_trace_id
from receiver.services.archive_file import check
from receiver.services.check import check_database
from receiver.services.intake import Intake
from receiver.storage.archive import TABLES
from receiver.storage.tables import alert_episodes, incidents, jobs
from tests.builders import bodies
from tests.fakes.polling import wait_until
from tests.fakes.processes import BIN, Process, environment
from tests.fixtures.runtimes import RuntimeFactory

INCIDENTS = 150


@pytest.fixture
def engine(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> Engine:
    """Incidents that are over for long, each with its alerts."""
    intake = Intake(make_runtime(sqlite_engine))
    for number in range(0, INCIDENTS, 10):
        alerts = [
            bodies.alert(service=f"svc-{number + one}", pod=str(pod)) for one in range(10) for pod in "ab"
        ]
        intake.accept(intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id()))
    long_ago = utc_now() - timedelta(days=9)
    with sqlite_engine.begin() as connection:
        over = {"status": "resolved", "opened_at": long_ago, "resolved_at": long_ago, "firing_count": 0}
        connection.execute(update(incidents).values(over))
        connection.execute(update(alert_episodes).values(status="resolved"))
        connection.execute(update(jobs).values(state="done", finished_at=utc_now()))
    return sqlite_engine


def rows(engine: Engine) -> set[tuple[str, Any]]:
    with engine.connect() as connection:
        return {
            (name, key)
            for name, table in TABLES.items()
            for key in connection.execute(select(*table.primary_key.columns)).scalars()
        }


def archived(folder: Path) -> set[tuple[str, Any]]:
    found = set()
    for file in folder.glob("*.jsonl.gz"):
        check(file)
        lines = map(json.loads, gzip.decompress(file.read_bytes()).splitlines()[1:-1])
        found |= {(line["table"], line["key"]) for line in lines}
    return found


def test_killed_anywhere_it_has_removed_nothing_that_is_not_in_a_whole_file(
    engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    url = engine.url.render_as_string(hide_password=False)
    env = environment({"RECEIVER_DATABASE_URL": url, "RECEIVER_KEEP_INCIDENTS_DAYS": "1"})
    command: list[str | Path] = [BIN / "receiver", "db", "prune", "--archive-to", folder]
    before = rows(engine)

    def parts() -> int:
        return len(list(folder.glob("*.part")))

    def files() -> int:
        return len(list(folder.glob("*.gz")))

    moments = (
        lambda: parts() > 0,  # while it writes
        lambda: files() > 0,  # as soon as the file is whole
        lambda: files() > 1 and len(rows(engine)) < len(before) - 50,  # while it removes
    )
    for number, has_come in enumerate(moments):
        with Process(command, folder=tmp_path / f"run-{number}", env=env) as pruner:
            wait_until(lambda: has_come() or pruner.returncode() is not None, 60)  # noqa: B023 - called at once
            pruner.kill()
        assert before - rows(engine) <= archived(folder)
        assert check_database(engine).is_clean
    with Process(command, folder=tmp_path / "last", env=env) as pruner:
        assert pruner.wait(60) == 0, pruner.output()
    left = rows(engine)
    assert before - left <= archived(folder)
    assert not [key for table, key in left if table in ("incidents", "grafana_alerts", "events")]
    assert check_database(engine).is_clean

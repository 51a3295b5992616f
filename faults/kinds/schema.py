"""Another release's schema comes under running processes of this one."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from faults.stack import Stack
from receiver.storage.migrate import newest_revision
from tests.fakes.polling import wait_until
from tests.fakes.processes import Process

STOPS_WITHIN_SECONDS = 60.0
# What a migration may do while the release before it still runs: add.
_EXPAND = (
    "ALTER TABLE incidents ADD COLUMN of_next_release VARCHAR(20) NULL",
    "ALTER TABLE jobs ADD COLUMN of_next_release INT NOT NULL DEFAULT 0",
    "ALTER TABLE grafana_alerts ADD COLUMN of_next_release INT NULL",
    "CREATE TABLE table_of_next_release (number INT PRIMARY KEY)",
    "CREATE INDEX idx_of_next_release ON incidents (owner, opened_at)",
)


def another_release(stack: Stack, seconds: float) -> None:
    """The next release migrates while this one runs: its web processes go on taking alerts, its workers stop.

    In the end there are workers again whose schema it is.
    """
    running = workers(stack)
    with stack.trouble("tables are being changed"):
        for statement in _EXPAND:
            _change(stack, statement)
    _say_revision(stack, "9999_newer")
    try:
        only_alerts_go_on(stack, running, seconds)
    finally:
        _say_revision(stack, newest_revision())


def workers(stack: Stack) -> dict[str, Process]:
    """Those that run now, by name."""
    return {name: process for name, process in stack.processes.items() if name.startswith("worker")}


def only_alerts_go_on(stack: Stack, running: Mapping[str, Process], seconds: float) -> None:
    """Under a schema that is not theirs these workers end, no job is done, and web processes go on storing alerts."""
    wait_until(
        lambda: all(process.returncode() is not None for process in running.values()),
        STOPS_WITHIN_SECONDS,
        "the end of workers whose schema is gone",
    )
    statuses = [process.returncode() for process in running.values()]
    stack.note("stopped", statuses=statuses)
    assert statuses == [3] * len(statuses), f"workers ended with {statuses}, should be 3"
    done_before, stored_before = _done_jobs(stack), _stored(stack)
    time.sleep(seconds)
    assert _done_jobs(stack) == done_before, "a worker worked on under another release's schema"
    assert _stored(stack) > stored_before, "no alert was stored under another release's schema"


def _change(stack: Stack, statement: str) -> None:
    for _ in range(5):
        try:
            with stack.engine.begin() as connection:
                connection.execute(text(statement))
            return
        except OperationalError:  # it waited in vain for those who use the table
            time.sleep(0.5)
    raise AssertionError(f"could not do: {statement}")


def _say_revision(stack: Stack, revision: str) -> None:
    with stack.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


def _done_jobs(stack: Stack) -> int:
    return _count(stack, "SELECT COUNT(*) FROM jobs WHERE state = 'done'")


def _stored(stack: Stack) -> int:
    return _count(stack, "SELECT COUNT(*) FROM deliveries")


def _count(stack: Stack, query: str) -> int:
    with stack.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())

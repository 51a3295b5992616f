"""Another release's schema comes under running workers."""

from __future__ import annotations

import time

from sqlalchemy import text

from faults.stack import Stack
from receiver.storage.migrate import newest_revision
from tests.fakes.polling import wait_until

STOPS_WITHIN_SECONDS = 60.0


def another_release(stack: Stack, seconds: float) -> None:
    """The schema's revision becomes another one: workers stop by themselves, and start again when it is theirs."""
    workers = [name for name in stack.processes if name.startswith("worker")]
    running = {name: stack.processes[name] for name in workers}
    _say_revision(stack, "9999_newer")
    try:
        wait_until(
            lambda: all(process.returncode() is not None for process in running.values()),
            STOPS_WITHIN_SECONDS,
            "the end of workers whose schema is gone",
        )
        stack.note("stopped", statuses=[process.returncode() for process in running.values()])
        time.sleep(seconds)
    finally:
        _say_revision(stack, newest_revision())


def _say_revision(stack: Stack, revision: str) -> None:
    with stack.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

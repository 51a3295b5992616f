"""How many jobs a second workers claim, do and record, when doing takes no time: four processes, one queue."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sqlalchemy import Engine, func, select

from bench.databases import Database
from bench.idle_worker import QUEUE
from receiver.domain.jobs import JobKind, JobRequest, JobState
from receiver.storage.engine import create_engine
from receiver.storage.jobs import insert_many
from receiver.storage.tables import jobs
from tests.fakes.processes import Process, environment

WORKERS = 4
JOBS = 20_000
_AT_ONCE = 500
# All are due at one moment, when the workers have long been waiting.
_DUE_SECONDS = 8.0
_LONGEST_SECONDS = 120.0


def jobs_per_second(database: Database, folder: Path) -> float:
    """From the moment at which all jobs became due to the end of the last, by the database's clock.

    Raises AssertionError if they are not all done in time, each once.
    """
    url = database.create()
    engine = create_engine(url)
    workers = [_worker(url, folder, number) for number in range(WORKERS)]
    try:
        for worker in workers:
            worker.wait_for_output("worker.started")
        _fill(engine)
        return _rate(engine)
    finally:
        for worker in workers:
            worker.stop()
        engine.dispose()
        database.drop(url)


def _worker(url: str, folder: Path, number: int) -> Process:
    settings = environment({"RECEIVER_DATABASE_URL": url})
    command = [sys.executable, "-m", "bench.idle_worker"]
    root = Path(__file__).parent.parent
    return Process(command, folder=folder, env=settings | {"PYTHONPATH": str(root)}, name=f"worker-{number}")


def _fill(engine: Engine) -> None:
    due = time.monotonic() + _DUE_SECONDS
    for first in range(0, JOBS, _AT_ONCE):
        requests = [
            JobRequest(
                kind=JobKind.NOTIFY,
                queue=QUEUE,
                idempotency_key=f"bench:{number}",
                delay_seconds=max(0.001, due - time.monotonic()),
            )
            for number in range(first, first + _AT_ONCE)
        ]
        with engine.begin() as connection:
            insert_many(connection, requests)


def _rate(engine: Engine) -> float:
    deadline = time.monotonic() + _LONGEST_SECONDS
    unfinished = select(func.count()).where(jobs.c.state.in_([JobState.READY.value, JobState.RUNNING.value]))
    while True:
        with engine.connect() as connection:
            left = connection.execute(unfinished).scalar_one()
        if not left:
            break
        assert time.monotonic() < deadline, f"{left} of {JOBS} jobs are not done"
        time.sleep(0.25)
    with engine.connect() as connection:
        began, ended, attempts, done = connection.execute(
            select(
                func.min(jobs.c.run_at), func.max(jobs.c.finished_at), func.sum(jobs.c.attempt), func.count()
            ).where(jobs.c.state == JobState.DONE.value)
        ).one()
    assert (done, attempts) == (JOBS, JOBS), f"{done} of {JOBS} jobs done in {attempts} attempts"
    return JOBS / float((ended - began).total_seconds())

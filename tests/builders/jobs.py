"""Jobs for tests, and what time does to them: the database's clock is not ours to turn, so the rows are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, RowMapping, select, update

from receiver.domain.jobs import JobKind, JobRequest
from receiver.storage.jobs import insert_many
from receiver.storage.tables import jobs

QUEUE = "probe"


def request(key: str = "k", *, queue: str = QUEUE, **changes: Any) -> JobRequest:
    """A job of the one kind that there is."""
    return JobRequest(JobKind.NOTIFY, queue, key, **changes)


def add(engine: Engine, *requests: JobRequest) -> None:
    """Commit these jobs."""
    with engine.begin() as connection:
        insert_many(connection, requests)


def rows(engine: Engine) -> list[RowMapping]:
    """All jobs, the oldest first."""
    with engine.connect() as connection:
        return list(connection.execute(select(jobs).order_by(jobs.c.job_id)).mappings())


def row(engine: Engine, key: str = "k") -> RowMapping:
    """The job with this key."""
    return next(one for one in rows(engine) if one["idempotency_key"] == key)


def states(engine: Engine) -> dict[str, str]:
    """The state of each job, by key."""
    return {one["idempotency_key"]: one["state"].value for one in rows(engine)}


def pass_time(engine: Engine, seconds: float) -> None:
    """Let due times and leases come so much nearer, as if that time had passed."""
    with engine.begin() as connection:
        for one in connection.execute(select(jobs)).mappings().all():
            earlier = {
                name: one[name] - timedelta(seconds=seconds)
                for name in ("run_at", "lease_until")
                if one[name]
            }
            # Not where a worker has just claimed or ended it: what was read of it is no longer true.
            same = jobs.c.lease_token.is_not_distinct_from(one["lease_token"])
            connection.execute(update(jobs).where(jobs.c.job_id == one["job_id"], same).values(earlier))

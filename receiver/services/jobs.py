"""What people do with jobs: look at them, and have dead letters tried again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from receiver.domain.jobs import JobRow, QueueDepth
from receiver.logs import event_logger
from receiver.services.transaction import transact
from receiver.storage import jobs
from receiver.storage.engine import reading

_log = event_logger("jobs")


def list_jobs(
    engine: Engine, *, state: str | None = None, queue: str | None = None, limit: int = 50
) -> list[JobRow]:
    """The newest jobs, at most `limit`; only those in `state` (domain.jobs.JobState) and of `queue` if given."""
    with reading(engine) as connection:
        return jobs.newest(connection, state=state, queue=queue, limit=limit)


def retry_jobs(engine: Engine, job_ids: Sequence[int] | None, *, all_dead: bool = False) -> int:
    """Give dead letters all their attempts again, due now; returns how many. Jobs in other states stay as they are.

    With `all_dead` every dead letter, else those named.
    """
    if not all_dead and not job_ids:
        return 0
    wanted = None if all_dead else list(job_ids or ())
    revived = transact(engine, lambda connection, _: jobs.revive(connection, wanted))
    _log.info("jobs.revived", extra={"count": revived, "job_ids": wanted or "all dead"})
    return revived


def queue_depths(engine: Engine) -> list[QueueDepth]:
    """Each queue with the number of its jobs by state, and the seconds for which its oldest due job has waited."""
    with reading(engine) as connection:
        return jobs.depths(connection)

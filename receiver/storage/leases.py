"""The worker's side of `jobs`: claiming by lease, keeping the lease, and ending an attempt under it.

A lease ends by the database's clock, and every write names the lease token of its claim: of two workers that both
believe they own a job, only one can record anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, null, select, tuple_, update

from receiver.domain.jobs import ClaimedJob, JobState
from receiver.errors import LeaseLost
from receiver.storage.database_clock import DatabaseLater, microseconds
from receiver.storage.tables import jobs
from receiver.storage.text import fit
from receiver.storage.types import DatabaseNow


def _along(statement: Select[Any], index: str) -> Select[Any]:
    # SKIP LOCKED locks every row that it looks at. Were the rows sorted after reading, the first worker would lock
    # all of them and the others find none; so the index must give the order, and the optimizer has no say.
    hint = f"FORCE INDEX ({index})"
    return statement.with_hint(jobs, hint, "mysql").with_hint(jobs, hint, "mariadb")


_READY, _RUNNING = JobState.READY.value, JobState.RUNNING.value
_job = (
    jobs.c.job_id,
    jobs.c.queue,
    jobs.c.kind,
    jobs.c.idempotency_key,
    jobs.c.payload,
    jobs.c.incident_id,
    jobs.c.attempt,
    jobs.c.max_attempts,
    jobs.c.trace_id,
)
_is_due = and_(jobs.c.state == _READY, jobs.c.run_at <= DatabaseNow())
_claimable = _along(
    select(*_job)
    .where(jobs.c.queue == bindparam("of_queue"), _is_due)
    .order_by(jobs.c.run_at, jobs.c.job_id)
    .limit(bindparam("at_most"))
    .with_for_update(skip_locked=True),
    "idx_jobs_claim",
)
_take = (
    update(jobs)
    .where(jobs.c.job_id.in_(bindparam("ids", expanding=True)))
    .values(
        state=_RUNNING,
        attempt=jobs.c.attempt + 1,
        lease_until=DatabaseLater("lease"),
        lease_token=bindparam("new_token"),
        worker=bindparam("new_worker"),
    )
)
_expired = _along(
    select(*_job, jobs.c.lease_token)
    .where(
        jobs.c.state == _RUNNING,
        jobs.c.lease_until < DatabaseNow(),
        jobs.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(jobs.c.lease_until)
    .limit(bindparam("at_most"))
    .with_for_update(skip_locked=True),
    "idx_jobs_lease",
)

_is_one = and_(
    jobs.c.state == _RUNNING, jobs.c.job_id == bindparam("id"), jobs.c.lease_token == bindparam("token")
)
_are_many = and_(
    jobs.c.state == _RUNNING,
    jobs.c.job_id.in_(bindparam("ids", expanding=True)),  # the pairs alone would not find the primary key
    tuple_(jobs.c.job_id, jobs.c.lease_token).in_(bindparam("pairs", expanding=True)),
)
_is_valid = jobs.c.lease_until > DatabaseNow()
_extend = update(jobs).where(_are_many, _is_valid).values(lease_until=DatabaseLater("lease"))
_still_held = select(jobs.c.job_id, jobs.c.lease_token).where(_are_many, _is_valid)

# The token stays in the row when an attempt ends: by it `is_recorded` knows its own work again.
_ended: dict[str, Any] = {
    "state": bindparam("new_state"),
    "lease_until": null(),
    "finished_at": DatabaseNow(),
}
_finish = update(jobs).where(_is_one).values(**_ended, last_error=bindparam("new_error"))
_finish_many = update(jobs).where(_are_many).values(**_ended, last_error=null())
_again: dict[str, Any] = {"state": _READY, "lease_until": null(), "run_at": DatabaseLater("delay")}
_retry = update(jobs).where(_is_one).values(**_again, last_error=bindparam("new_error"))
_postpone = update(jobs).where(_is_one).values(**_again, attempt=jobs.c.attempt - 1)
_given_back: dict[str, Any] = {"state": _READY, "lease_until": null(), "lease_token": null()}
_release = update(jobs).where(_are_many).values(**_given_back, attempt=jobs.c.attempt - 1)
_reclaim = update(jobs).where(_are_many).values(**_given_back, last_error=bindparam("new_error"))
_hold = select(jobs.c.job_id).where(_is_one).with_for_update()
_mine = select(jobs.c.job_id).where(
    jobs.c.job_id == bindparam("id"), jobs.c.lease_token == bindparam("token"), jobs.c.state != _RUNNING
)
_ours = select(func.count()).where(
    jobs.c.job_id.in_(bindparam("ids", expanding=True)),
    tuple_(jobs.c.job_id, jobs.c.lease_token).in_(bindparam("pairs", expanding=True)),
    jobs.c.state != _RUNNING,
)


def due_queues(connection: Connection, queues: Sequence[str]) -> list[str]:
    """Those of `queues` that have a job to claim now. One statement, one look into the index for each."""
    asked = [
        exists(_along(select(jobs.c.job_id).where(jobs.c.queue == queue, _is_due), "idx_jobs_claim")).label(
            f"q{n}"
        )
        for n, queue in enumerate(queues)
    ]
    if not asked:
        return []
    return [queue for queue, due in zip(queues, connection.execute(select(*asked)).one(), strict=True) if due]


def claim(
    connection: Connection, queue: str, limit: int, lease_seconds: float, worker: str, token: str
) -> list[ClaimedJob]:
    """Take up to `limit` due jobs of `queue` for `lease_seconds`, the longest due first; commit at once.

    `token` must be new for every claim. Rows that another claim is about to take are passed over.
    """
    found = connection.execute(_claimable, {"of_queue": queue, "at_most": limit})
    taken = [ClaimedJob(**row, lease_token=token) for row in found.mappings()]
    if taken:
        ids = [job.job_id for job in taken]
        lease = microseconds(lease_seconds)
        connection.execute(_take, {"ids": ids, "lease": lease, "new_token": token, "new_worker": worker})
    return [replace(job, attempt=job.attempt + 1) for job in taken]


def extend(connection: Connection, held: Collection[ClaimedJob], lease_seconds: float) -> list[ClaimedJob]:
    """Renew the leases of `held` that are still valid; returns the jobs whose lease is lost.

    The jobs are named one by one: a heartbeat for "all jobs of this worker" would keep alive what it forgot.
    """
    if not held:
        return []
    named = _names(held)
    if connection.execute(_extend, named | {"lease": microseconds(lease_seconds)}).rowcount == len(held):
        return []
    still = {(job_id, token) for job_id, token in connection.execute(_still_held, named)}
    return [job for job in held if (job.job_id, job.lease_token) not in still]


def finish(connection: Connection, job: ClaimedJob, state: JobState, error: str | None = None) -> None:
    """End the job as done, dead (`error` says why) or unknown. Raises LeaseLost if it is not this claim's any more."""
    _write(connection, _finish, job, {"new_state": state.value, "new_error": _shown(error)})


def finish_many(connection: Connection, batch: Collection[ClaimedJob]) -> None:
    """End all of them as done. Raises LeaseLost if one is not its claim's any more: roll back, and end them singly."""
    done = connection.execute(_finish_many, _names(batch) | {"new_state": JobState.DONE.value}).rowcount
    if done != len(batch):
        raise LeaseLost(f"{len(batch) - done} of {len(batch)} jobs belong to another worker now")


def retry_later(connection: Connection, job: ClaimedJob, delay_seconds: float, error: str) -> None:
    """End a failed attempt; the next one is due in `delay_seconds`. Raises LeaseLost."""
    _write(connection, _retry, job, {"delay": microseconds(delay_seconds), "new_error": _shown(error)})


def postpone(connection: Connection, job: ClaimedJob, delay_seconds: float) -> None:
    """Give the job back until `delay_seconds` from now, as if this attempt had not been. Raises LeaseLost."""
    _write(connection, _postpone, job, {"delay": microseconds(delay_seconds)})


def release(connection: Connection, batch: Collection[ClaimedJob]) -> None:
    """Give back jobs that were claimed and not started: due as before, no attempt counted. Lost ones are left alone."""
    if batch:
        connection.execute(_release, _names(batch))


def hold(connection: Connection, job: ClaimedJob) -> None:
    """Lock the job's row until COMMIT: nobody else can claim it meanwhile. Raises LeaseLost if somebody has."""
    if connection.execute(_hold, {"id": job.job_id, "token": job.lease_token}).first() is None:
        raise LeaseLost(f"job {job.job_id} belongs to another worker now")


def is_recorded(connection: Connection, job: ClaimedJob) -> bool:
    """Whether the end of this very attempt is in the database already: needed when a COMMIT's answer was lost."""
    return connection.execute(_mine, {"id": job.job_id, "token": job.lease_token}).first() is not None


def are_recorded(connection: Connection, batch: Collection[ClaimedJob]) -> bool:
    """The same for the ends of many, which are written together or not at all."""
    return connection.execute(_ours, _names(batch)).scalar_one() == len(batch)


def lock_expired(connection: Connection, kinds: Collection[str], limit: int) -> list[ClaimedJob]:
    """Up to `limit` running jobs of `kinds` whose lease is over, the longest over first, locked.

    Kinds that the caller does not know are left to workers that do, and do not fill the batch.
    """
    found = connection.execute(_expired, {"kinds": sorted(kinds), "at_most": limit})
    return [ClaimedJob(**row) for row in found.mappings()]


def reclaim(connection: Connection, batch: Collection[ClaimedJob], error: str) -> None:
    """Make jobs that their worker left behind due again; the lost attempt counts."""
    if batch:
        connection.execute(_reclaim, _names(batch) | {"new_error": _shown(error)})


def _write(connection: Connection, statement: Any, job: ClaimedJob, values: dict[str, Any]) -> None:
    written = connection.execute(statement, {"id": job.job_id, "token": job.lease_token} | values).rowcount
    if written != 1:
        raise LeaseLost(f"job {job.job_id} belongs to another worker now")


def _names(batch: Collection[ClaimedJob]) -> dict[str, Any]:
    pairs = sorted((job.job_id, job.lease_token) for job in batch)
    return {"ids": sorted({job_id for job_id, _ in pairs}), "pairs": pairs}


def _shown(error: str | None) -> str | None:
    return None if error is None else fit(error, 1000)

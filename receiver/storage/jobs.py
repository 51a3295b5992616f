"""Rows of `jobs`: how they are written, and what people see of them. What workers do with them: storage/leases.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from receiver.domain.jobs import JobRequest, JobRow, JobState, QueueDepth
from receiver.storage.bulk import BulkInsert
from receiver.storage.database_clock import microseconds
from receiver.storage.tables import jobs
from receiver.storage.types import DatabaseNow

_insert = BulkInsert(
    jobs,
    ("queue", "kind", "idempotency_key", "payload", "incident_id", "max_attempts", "trace_id", "run_at"),
    later=("run_at",),
)
_existing = select(jobs.c.idempotency_key).where(
    jobs.c.idempotency_key.in_(bindparam("keys", expanding=True))
)

_row = (
    jobs.c.job_id,
    jobs.c.queue,
    jobs.c.kind,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.max_attempts,
    jobs.c.incident_id,
    jobs.c.trace_id,
    jobs.c.created_at,
    jobs.c.run_at,
    jobs.c.finished_at,
    jobs.c.worker,
    jobs.c.last_error,
)
_revive = (
    update(jobs)
    .where(jobs.c.state == JobState.DEAD.value)
    .values(state=JobState.READY.value, attempt=0, run_at=DatabaseNow(), finished_at=None)
)

# Done jobs are by far the most, and nobody asks how many: each count is a short range of the claim index.
_COUNTED = tuple(state.value for state in JobState if state is not JobState.DONE)
_queues = select(jobs.c.queue).distinct()
_depths = (
    select(jobs.c.queue, jobs.c.state, func.count())
    .where(jobs.c.queue.in_(bindparam("queues", expanding=True)), jobs.c.state.in_(_COUNTED))
    .group_by(jobs.c.queue, jobs.c.state)
)
_oldest = (
    select(jobs.c.queue, func.min(jobs.c.run_at), DatabaseNow())
    .where(
        jobs.c.queue.in_(bindparam("queues", expanding=True)),
        jobs.c.state == JobState.READY.value,
        jobs.c.run_at <= DatabaseNow(),
    )
    .group_by(jobs.c.queue)
)


def insert_many(connection: Connection, requests: Sequence[JobRequest]) -> None:
    """Insert jobs that are new by construction. One whose key exists makes this fail as a duplicate (1062)."""
    if requests:
        _insert.execute(connection, [_values(request) for request in requests])


def insert_once(connection: Connection, requests: Sequence[JobRequest]) -> None:
    """Insert those whose key does not exist yet.

    Somebody may insert the same key at the same moment: that fails as a duplicate (1062), and the transaction, run
    again, finds it.
    """
    if not requests:
        return
    known = existing(connection, [request.idempotency_key for request in requests])
    insert_many(connection, [request for request in requests if request.idempotency_key not in known])


def existing(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of these idempotency keys that a job has already."""
    return set(connection.execute(_existing, {"keys": list(keys)}).scalars())


def _values(request: JobRequest) -> dict[str, Any]:
    return {
        "queue": request.queue,
        "kind": request.kind.value,
        "idempotency_key": request.idempotency_key,
        "payload": request.payload,
        "incident_id": request.incident_id,
        "max_attempts": request.max_attempts,
        "trace_id": request.trace_id,
        "run_at": microseconds(max(0.0, request.delay_seconds)),
    }


def newest(connection: Connection, *, state: str | None, queue: str | None, limit: int) -> list[JobRow]:
    """The newest jobs, those in `state` and of `queue` only where these are given."""
    found = select(*_row).order_by(jobs.c.job_id.desc()).limit(limit)
    if state is not None:
        found = found.where(jobs.c.state == state)
    if queue is not None:
        found = found.where(jobs.c.queue == queue)
    return [JobRow(**row) for row in connection.execute(found).mappings()]


def revive(connection: Connection, job_ids: Sequence[int] | None) -> int:
    """Make dead jobs (all of them where `job_ids` is None) due now with all their attempts; returns how many.

    What killed them stays in last_error until they end again.
    """
    wanted = _revive if job_ids is None else _revive.where(jobs.c.job_id.in_(job_ids))
    return connection.execute(wanted).rowcount


def revive_key(connection: Connection, key: str) -> None:
    """Make the job with this idempotency key due now, if it has died."""
    connection.execute(_revive.where(jobs.c.idempotency_key == key))


def depths(connection: Connection) -> list[QueueDepth]:
    """Each queue that ever had a job, by name."""
    queues = sorted(connection.execute(_queues).scalars())
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for queue, state, count in connection.execute(_depths, {"queues": queues}):
        counts[queue][state] = count
    ages = {
        queue: (now - oldest).total_seconds()
        for queue, oldest, now in connection.execute(_oldest, {"queues": queues})
    }
    return [QueueDepth(queue, counts[queue], max(0.0, ages.get(queue, 0.0))) for queue in queues]

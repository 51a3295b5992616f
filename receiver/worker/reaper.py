"""Picks up jobs whose worker has died or lost its database. Every worker does it; doing it twice changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sqlalchemy import Connection, Engine

from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.logs import event_logger
from receiver.services.job_handler import Completion, Handler
from receiver.services.transaction import transact
from receiver.storage import leases
from receiver.worker.recorder import settle

_log = event_logger("worker")
_BATCH = 50  # short transactions: others go on claiming meanwhile


def reap(engine: Engine, handlers: Mapping[str, Handler], abandoned: threading.Event) -> int:
    """Make jobs with an expired lease due again, or dead where no attempt is left; returns how many there were.

    Jobs of kinds without a handler here are left alone. Raises what the database raises.
    """

    def work(connection: Connection, _: int) -> tuple[list[ClaimedJob], list[ClaimedJob]]:
        found = leases.lock_expired(connection, handlers.keys(), _BATCH)
        again = [job for job in found if job.attempt < job.max_attempts]
        leases.reclaim(connection, again, "the worker did not come back from this attempt")
        return again, [job for job in found if job.attempt >= job.max_attempts]

    again, exhausted = transact(engine, work)
    for job in again:
        _log.warning("job.reclaimed", extra=job.facts())
    for job in exhausted:
        reason = f"gave up after {job.attempt} attempts: the worker did not come back from the last one"
        settle(engine, handlers, [(job, Completion(Outcome(Verdict.DEAD, reason)))], abandoned)
    return len(again) + len(exhausted)

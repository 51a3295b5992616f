"""The handler of the `housekeeping` job: retention, every so many hours. One standing job does it, as in publish.py."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import Connection

from receiver.domain.jobs import ClaimedJob, JobKind, JobRequest, Outcome, Verdict
from receiver.errors import ArchiveFailed, DeliveryFailed
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services.archive import ArchivingSweep, Target
from receiver.services.job_handler import Completion
from receiver.services.retention import Sweep, cutoffs_now
from receiver.services.transaction import transact
from receiver.storage import jobs

_log = event_logger("housekeeping")

STANDING_JOB = JobRequest(
    JobKind.HOUSEKEEPING,
    JobKind.HOUSEKEEPING.value,
    "housekeeping:standing",
    # It never ends, and every worker that dies with it counts as an attempt.
    max_attempts=2_000_000_000,
    # Nothing is urgent here: a start has other things to do first.
    delay_seconds=300.0,
)
# One attempt is short against a worker's time to drain.
ATTEMPT_SECONDS = 8.0


def stand_by(runtime: Runtime) -> None:
    """See to it that the standing job exists and runs; any number of workers may do this at once."""
    transact(runtime.engine, lambda connection, _: _stand_by(connection))


def _stand_by(connection: Connection) -> None:
    jobs.insert_once(connection, [STANDING_JOB])
    jobs.revive_key(connection, STANDING_JOB.idempotency_key)


class HousekeepingHandler:
    """Goes on with its sweep in each attempt, until it is through (services.job_handler.Handler)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._sweep: Sweep | ArchivingSweep | None = None
        self._steps: Iterator[float] = iter(())

    def run(self, job: ClaimedJob) -> Completion:
        """Sweep for some seconds. Never `done`: this job has no end. Raises DeliveryFailed, StorageUnavailable."""
        runtime = self._runtime
        if self._sweep is None:
            self._sweep = _begin(runtime)
            self._steps = self._sweep.steps()
        until = time.monotonic() + ATTEMPT_SECONDS
        sweep, self._sweep = self._sweep, None  # one that fails is begun anew
        try:
            for pause in self._steps:
                time.sleep(pause)  # so that intake is not held up
                if time.monotonic() > until:
                    self._sweep = sweep
                    return Completion(Outcome(Verdict.WAIT, "there is more to remove", 0.0))
        except ArchiveFailed as failure:  # nothing goes that is in no archive
            raise DeliveryFailed(str(failure)) from failure
        if sweep.rows.total():
            _log.info("housekeeping.done", extra={"rows": {k: n for k, n in sweep.rows.items() if n}})
        hours = runtime.settings.housekeeping_hours
        return Completion(Outcome(Verdict.WAIT, "all that is kept is young enough", hours * 3600.0))

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Nothing to add: the next worker that starts revives the job."""


def _begin(runtime: Runtime) -> Sweep | ArchivingSweep:
    cutoffs = cutoffs_now(runtime.engine, runtime.settings, runtime.clock)
    has_broker = runtime.broker is not None
    folder = runtime.settings.archive_dir
    if folder is None:
        return Sweep(runtime.engine, cutoffs, has_broker=has_broker)
    return ArchivingSweep(runtime.engine, cutoffs, Target(folder, removes=True), has_broker=has_broker)

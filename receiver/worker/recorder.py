"""Writes how attempts ended: a job's end and all that follows from it, in one transaction, under its lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine

from receiver import metrics
from receiver.domain.jobs import ClaimedJob, JobState, Outcome, Verdict
from receiver.errors import LeaseLost, StorageUnavailable
from receiver.logs import event_logger
from receiver.services.job_handler import Completion, Handler
from receiver.services.transaction import transact
from receiver.storage import leases
from receiver.storage.engine import is_unreachable
from receiver.worker.attempt import bug

_log = event_logger("worker")

Ended = tuple[ClaimedJob, Completion]

LARGEST_BATCH = 100
LONGEST_PAUSE_SECONDS = 5.0
REFUSALS = 5  # a database that answers, and refuses a record this often, will not take it


class Recorder:
    """Records the plain ends of one queue in a thread of its own, many in one transaction, so that no thread waits.

    Ends with more to write come one by one (`settle`): several of them in one transaction would lock incidents in an
    order that others do not keep. `settled` hears of each job that was recorded or lost. Ends with `abandoned`.
    """

    def __init__(
        self,
        engine: Engine,
        handlers: Mapping[str, Handler],
        settled: Callable[[Sequence[ClaimedJob]], None],
        abandoned: threading.Event,
        name: str = "recorder",
    ) -> None:
        self._engine = engine
        self._handlers = handlers
        self._settled = settled
        self._changed = threading.Condition()
        self._ended: list[Ended] = []
        self._abandoned = abandoned
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, job: ClaimedJob, completion: Completion) -> None:
        """Have the end of an attempt recorded; returns at once."""
        with self._changed:
            self._ended.append((job, completion))
            self._changed.notify()

    def wake(self) -> None:
        """Notice that it is abandoned."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while not self._abandoned.is_set():
            with self._changed:
                while not self._ended and not self._abandoned.is_set():
                    self._changed.wait()
                batch, self._ended = self._ended[:LARGEST_BATCH], self._ended[LARGEST_BATCH:]
            settle(self._engine, self._handlers, batch, self._abandoned)
            self._settled([job for job, _ in batch])


def settle(
    engine: Engine, handlers: Mapping[str, Handler], batch: Sequence[Ended], abandoned: threading.Event
) -> None:
    """Record the ends of all of `batch`; those whose lease is lost are left to their new owners.

    While the database is away it waits until `abandoned` is set: what was done must not be forgotten lightly.
    """
    plain = [entry for entry in batch if entry[1].is_plain]
    if len(plain) > 1 and _settle_plain(engine, plain):
        batch = [entry for entry in batch if entry not in plain]
    for job, completion in batch:
        _settle_one(engine, handlers, job, completion, abandoned)


def _settle_plain(engine: Engine, plain: Sequence[Ended]) -> bool:
    jobs = [job for job, _ in plain]
    try:
        transact(engine, lambda connection, _: leases.finish_many(connection, jobs))
    except (LeaseLost, StorageUnavailable):
        return False  # one by one it shows which
    for job, completion in plain:
        _tell(job, completion.outcome)
    return True


def _settle_one(
    engine: Engine,
    handlers: Mapping[str, Handler],
    job: ClaimedJob,
    completion: Completion,
    abandoned: threading.Event,
) -> None:
    tries = 0
    while not abandoned.is_set():
        try:
            record(engine, handlers, job, completion)
        except LeaseLost:
            _log.warning("lease.lost", extra=job.facts() | {"unrecorded": completion.outcome.verdict.value})
            return
        except Exception as error:  # noqa: BLE001 - the outermost handler: what one job writes must not end others
            tries += 1
            if _is_passing(error, tries):
                abandoned.wait(min(LONGEST_PAUSE_SECONDS, 0.1 * 2.0**tries))
                continue
            _log.error("job.unrecordable", extra=job.facts(), exc_info=True)
            if completion.outcome.verdict is Verdict.DEAD and not handlers:
                return
            # Not another attempt: the deed is done, and would be done again each time. People have to look.
            handlers, completion = (
                {},
                Completion(Outcome(Verdict.DEAD, f"its end could not be recorded: {bug(error)}")),
            )
        else:
            _tell(job, completion.outcome)
            return


def _is_passing(error: Exception, tries: int) -> bool:
    if isinstance(error, StorageUnavailable):
        cause = error.__cause__
        return tries < REFUSALS or (cause is not None and is_unreachable(cause))
    return is_unreachable(error)


def record(engine: Engine, handlers: Mapping[str, Handler], job: ClaimedJob, completion: Completion) -> None:
    """Record how one attempt ended, in one transaction.

    Raises LeaseLost, StorageUnavailable, and what a handler's write raises.
    """

    def work(connection: Connection, retry: int) -> None:
        if retry and leases.is_recorded(connection, job):
            return  # the COMMIT went through before, only its answer was lost
        _end(connection, job, completion.outcome)
        if completion.outcome.verdict is Verdict.DEAD and job.kind in handlers:
            handlers[job.kind].bury(connection, job, completion.outcome.reason)
        if completion.write is not None:
            completion.write(connection)

    transact(engine, work)


def _end(connection: Connection, job: ClaimedJob, outcome: Outcome) -> None:
    match outcome.verdict:
        case Verdict.DONE:
            leases.finish(connection, job, JobState.DONE)
        case Verdict.DEAD:
            leases.finish(connection, job, JobState.DEAD, outcome.reason)
        case Verdict.RETRY:
            leases.retry_later(connection, job, outcome.delay_seconds, outcome.reason)
        case Verdict.WAIT:
            leases.postpone(connection, job, outcome.delay_seconds)


_LINES = {
    Verdict.DONE: ("job.done", logging.INFO),
    Verdict.RETRY: ("job.retry", logging.WARNING),
    Verdict.WAIT: ("job.wait", logging.DEBUG),
    Verdict.DEAD: ("job.dead", logging.ERROR),
}


def _tell(job: ClaimedJob, outcome: Outcome) -> None:
    metrics.JOBS.labels(job.kind, outcome.verdict.value).inc()
    line, level = _LINES[outcome.verdict]
    facts = job.facts() | {"reason": outcome.reason}
    if outcome.verdict in (Verdict.RETRY, Verdict.WAIT):
        facts["delay_seconds"] = round(outcome.delay_seconds, 1)
    _log.log(level, line, extra=facts)

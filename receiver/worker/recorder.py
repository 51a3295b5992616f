"""Writes how attempts ended: a job's end and all that follows from it, in one transaction, under its lease."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Connection, Engine

from receiver import metrics
from receiver.domain.jobs import ClaimedJob, JobState, Outcome, Verdict
from receiver.errors import LeaseLost, LocksBusy, StorageUnavailable
from receiver.logs import event_logger
from receiver.services.job_handler import Completion, Handler, SharedWrite
from receiver.services.transaction import transact
from receiver.storage import leases
from receiver.storage.engine import is_conflict, is_unreachable
from receiver.worker.attempt import bug

_log = event_logger("worker")

Ended = tuple[ClaimedJob, Completion]
Left = tuple[ClaimedJob, Completion, bool]  # whether it may have been written already

LARGEST_BATCH = 100
LONGEST_PAUSE_SECONDS = 5.0
REFUSALS = 5  # a record against which other rows stand this often will not be taken


class Recorder:
    """Records plain and shared ends of one queue in a thread of its own: what is there, at once, in one transaction.

    What cannot be written together is written one by one by a second thread: there one may wait for an incident that
    somebody holds, or for a lease to be looked at, and hold up only others of its kind.
    `settled` hears of each job that was recorded or lost. Ends with `abandoned`.
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
        self._left: list[Left] = []
        self._abandoned = abandoned
        self._threads = [
            threading.Thread(target=self._record_together, name=name, daemon=True),
            threading.Thread(target=self._record_singly, name=f"{name}-singly", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: ClaimedJob, completion: Completion) -> None:
        """Have the end of an attempt recorded; returns at once."""
        with self._changed:
            self._ended.append((job, completion))
            self._changed.notify_all()

    def wake(self) -> None:
        """Notice that it is abandoned."""
        with self._changed:
            self._changed.notify_all()

    def _record_together(self) -> None:
        while not self._abandoned.is_set():
            with self._changed:
                while not self._ended and not self._abandoned.is_set():
                    self._changed.wait()
                batch, self._ended = self._ended[:LARGEST_BATCH], self._ended[LARGEST_BATCH:]
            left = _settle_together(self._engine, batch)
            known = {id(job) for job, _, _ in left}
            self._settled([job for job, _ in batch if id(job) not in known])
            if left:
                with self._changed:
                    self._left += left
                    self._changed.notify_all()

    def _record_singly(self) -> None:
        while not self._abandoned.is_set():
            with self._changed:
                while not self._left and not self._abandoned.is_set():
                    self._changed.wait()
                left, self._left = self._left, []
            for job, completion, is_again in left:
                _settle_one(self._engine, self._handlers, job, completion, self._abandoned, is_again=is_again)
                self._settled([job])


def settle(
    engine: Engine, handlers: Mapping[str, Handler], batch: Sequence[Ended], abandoned: threading.Event
) -> None:
    """Record the ends of all of `batch`; those whose lease is lost are left to their new owners.

    While the database is away it waits until `abandoned` is set: what was done must not be forgotten lightly.
    """
    for job, completion, is_again in _settle_together(engine, batch):
        _settle_one(engine, handlers, job, completion, abandoned, is_again=is_again)


def _settle_together(engine: Engine, batch: Sequence[Ended]) -> list[Left]:
    """Write in one transaction what can be; returns the others, and all if that transaction fails."""
    together, alone = _divide(batch)
    left = [(job, completion, False) for job, completion in alone]
    is_written = False
    try:
        is_written = not together or _write_together(engine, together)
    except LocksBusy as held:
        free = [
            one for one in together if one[1].shared is None or one[1].shared.incident_id not in held.busy
        ]
        left += [(*one, False) for one in together if one not in free]
        together = free
        with suppress(LocksBusy):  # another one: enough of that
            is_written = not together or _write_together(engine, together)
    return left if is_written else left + [(*one, True) for one in together]


def _divide(batch: Sequence[Ended]) -> tuple[list[Ended], list[Ended]]:
    """What can share a transaction, with one end for each incident at most, and the rest."""
    together: list[Ended] = []
    alone: list[Ended] = []
    incidents: set[str] = set()
    for job, completion in batch:
        write = completion.shared
        can_share = completion.is_plain or (write is not None and write.incident_id not in incidents)
        (together if can_share else alone).append((job, completion))
        if write is not None:
            incidents.add(write.incident_id)
    return together, alone


def _write_together(engine: Engine, together: Sequence[Ended]) -> bool:
    """Write all these ends in one transaction; False, with none of them known to be written, if that does not work.

    Raises LocksBusy, with none of them written.
    """
    jobs = [job for job, _ in together]
    writes: defaultdict[type[SharedWrite], list[SharedWrite]] = defaultdict(list)
    for _, completion in together:
        if completion.shared is not None:
            writes[type(completion.shared)].append(completion.shared)

    def work(connection: Connection, retry: int) -> None:
        if retry and leases.are_recorded(connection, jobs):
            return  # the COMMIT went through before, only its answer was lost
        leases.finish_many(connection, jobs)
        for alike in writes.values():
            alike[0].write_all(connection, alike)

    try:
        transact(engine, work)
    except LocksBusy:
        raise
    except (LeaseLost, StorageUnavailable):
        return False
    except Exception:  # noqa: BLE001 - the outermost handler: what one job writes must not end others
        _log.warning("job.batch_refused", extra={"jobs": len(jobs)}, exc_info=True)
        return False
    for job, completion in together:
        _tell(job, completion.outcome)
    return True


def _settle_one(
    engine: Engine,
    handlers: Mapping[str, Handler],
    job: ClaimedJob,
    completion: Completion,
    abandoned: threading.Event,
    *,
    is_again: bool,
) -> None:
    tries = 0
    while not abandoned.is_set():
        try:
            record(engine, handlers, job, completion, is_again=is_again or tries > 0)
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
        # Read-only for long, or a stranger locks a row: while it says "not now", what was done is not given up.
        return tries < REFUSALS or (cause is not None and not is_conflict(cause))
    return is_unreachable(error)


def record(
    engine: Engine,
    handlers: Mapping[str, Handler],
    job: ClaimedJob,
    completion: Completion,
    *,
    is_again: bool = False,
) -> None:
    """Record how one attempt ended, in one transaction. `is_again`: that may have happened already.

    Raises LeaseLost, StorageUnavailable, and what a handler's write raises.
    """

    def work(connection: Connection, retry: int) -> None:
        if (is_again or retry) and leases.is_recorded(connection, job):
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

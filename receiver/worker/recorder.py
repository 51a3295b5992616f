"""Writes how attempts ended: a job's end and all that follows from it, in one transaction, under its lease."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

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

LARGEST_BATCH = 100
LONGEST_PAUSE_SECONDS = 5.0
UNRECORDED = "its end could not be recorded"
REFUSALS = 5  # a record against which other rows stand this often will not be taken


@dataclass(frozen=True, slots=True)
class _Left:
    """The end of a job that is to be written by itself."""

    job: ClaimedJob
    completion: Completion
    is_again: bool  # it may have been written already
    tries: int = 0
    is_bare: bool = False  # nothing but the job's own end is left to be written
    not_before: float = 0.0  # monotonic seconds

    def later(self) -> _Left:
        """The same after one more try, with the pause that follows."""
        pause = min(
            LONGEST_PAUSE_SECONDS, 0.1 * 2.0 ** min(self.tries + 1, 10)
        )  # unbounded it overflows one day
        return replace(self, is_again=True, tries=self.tries + 1, not_before=time.monotonic() + pause)

    def given_up(self, why: str) -> _Left:
        """What is to be written instead: a dead letter, with its burial if that is not what has failed.

        Not another attempt: the deed is done, and would be done again each time. People have to look.
        """
        outcome = self.completion.outcome
        if not outcome.reason.startswith(UNRECORDED):
            outcome = Outcome(Verdict.DEAD, f"{UNRECORDED}: {why}")
        has_failed_to_be_buried = self.completion.outcome.verdict is Verdict.DEAD
        return replace(self.later(), completion=Completion(outcome), is_bare=has_failed_to_be_buried)


class Recorder:
    """Records plain and shared ends of one queue in a thread of its own: what is there, at once, in one transaction.

    What cannot be written together is written one by one by a second thread: there one may wait for an incident that
    somebody holds, or for a lease to be looked at, and hold up others of its kind only for one try at a time.
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
        self._left: list[_Left] = []
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
            known = {id(one.job) for one in left}
            self._settled([job for job, _ in batch if id(job) not in known])
            if left:
                with self._changed:
                    self._left += left
                    self._changed.notify_all()

    def _record_singly(self) -> None:
        while not self._abandoned.is_set():
            for one in self._take_due():
                if self._abandoned.is_set():
                    return
                after = _try_one(self._engine, self._handlers, one)
                if after is None:
                    self._settled([one.job])
                else:
                    with self._changed:
                        self._left.append(after)

    def _take_due(self) -> list[_Left]:
        """Wait for what is to be written singly now, the new first; none when it is abandoned."""
        with self._changed:
            while not self._abandoned.is_set():
                now = time.monotonic()
                due = [one for one in self._left if one.not_before <= now]
                if due:
                    self._left = [one for one in self._left if one.not_before > now]
                    return sorted(due, key=lambda one: one.tries)
                soonest = min((one.not_before for one in self._left), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
        return []


def settle(
    engine: Engine, handlers: Mapping[str, Handler], batch: Sequence[Ended], abandoned: threading.Event
) -> None:
    """Record the ends of all of `batch`; those whose lease is lost are left to their new owners.

    While the database is away it waits until `abandoned` is set: what was done must not be forgotten lightly.
    """
    for one in _settle_together(engine, batch):
        after: _Left | None = one
        while after is not None and not abandoned.wait(max(0.0, after.not_before - time.monotonic())):
            after = _try_one(engine, handlers, after)


def try_to_settle(
    engine: Engine, handlers: Mapping[str, Handler], job: ClaimedJob, completion: Completion
) -> bool:
    """Record one end, unless the database says "not now": False then."""
    only_try = _Left(job, completion, is_again=False, tries=REFUSALS - 1)
    return _try_one(engine, handlers, only_try) is None


def _settle_together(engine: Engine, batch: Sequence[Ended]) -> list[_Left]:
    """Write in one transaction what can be; returns the others, and all if that transaction fails."""
    together, alone = _divide(batch)
    left = [_Left(job, completion, is_again=False) for job, completion in alone]
    is_written = False
    try:
        is_written = not together or _write_together(engine, together)
    except LocksBusy as held:
        free = [
            one for one in together if one[1].shared is None or one[1].shared.incident_id not in held.busy
        ]
        left += [_Left(*one, is_again=False) for one in together if one not in free]
        together = free
        with suppress(LocksBusy):  # another one: enough of that
            is_written = not together or _write_together(engine, together)
    return left if is_written else left + [_Left(*one, is_again=True) for one in together]


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


def _try_one(engine: Engine, handlers: Mapping[str, Handler], one: _Left) -> _Left | None:
    """Write one end; None once it is written or never will be, else what is to be tried again."""
    job, completion = one.job, one.completion
    try:
        record(engine, {} if one.is_bare else handlers, job, completion, is_again=one.is_again)
    except LeaseLost:
        _log.warning("lease.lost", extra=job.facts() | {"unrecorded": completion.outcome.verdict.value})
    except Exception as error:  # noqa: BLE001 - the outermost handler: what one job writes must not end others
        if _is_passing(error, one.tries + 1):
            return one.later()
        _log.error("job.unrecordable", extra=job.facts(), exc_info=True)
        return None if one.is_bare else _try_one(engine, handlers, one.given_up(bug(error)))
    else:
        _tell(job, completion.outcome)
    return None


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

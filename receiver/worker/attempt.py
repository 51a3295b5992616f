"""One attempt of one job: the outermost handler, where whatever can go wrong becomes an outcome."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from sqlalchemy.exc import DBAPIError

from receiver import metrics
from receiver.domain.jobs import ClaimedJob, JobKind, Outcome, Verdict
from receiver.domain.retry import Backoff, decide_retry
from receiver.errors import DeliveryFailed, StorageUnavailable
from receiver.logs import event_logger
from receiver.services.job_handler import Attempt, Completion, Foresighted, Handler
from receiver.storage.engine import error_code, is_conflict, is_retryable, is_unreachable

_log = event_logger("worker")

UNKNOWN_KIND_PAUSE_SECONDS = 60.0
DATABASE_PAUSE_SECONDS = 5.0
# When one message is told to come later, the next of its queue would be told so too; but now and then one should ask.
LONGEST_HUSH_SECONDS = 300.0


def prepare(handlers: Mapping[str, Handler], batch: Sequence[ClaimedJob]) -> list[Attempt | None]:
    """For each job what its handler has made ready to be run; None: nothing, it is run as it is. Never raises."""
    ready: dict[int, Attempt] = {}
    for kind in {job.kind for job in batch}:
        handler = handlers.get(kind)
        alike = [job for job in batch if job.kind == kind]
        if len(alike) > 1 and isinstance(handler, Foresighted):
            try:
                ready |= zip((job.job_id for job in alike), handler.prepare(alike), strict=True)
            except Exception:  # noqa: BLE001 - an outermost handler: whatever it is, it comes again in each job's attempt
                _log.debug("job.unprepared", extra={"kind": kind, "jobs": len(alike)})
    return [ready.get(job.job_id) for job in batch]


def attempt(
    handlers: Mapping[str, Handler], job: ClaimedJob, backoff: Backoff, ready: Attempt | None = None
) -> Completion:
    """Run the job's handler, or what it has made ready, and return how it ended. Never raises."""
    handler = handlers.get(job.kind)
    if handler is None:  # of a newer release, whose workers will find it again
        return Completion(Outcome(Verdict.WAIT, "no handler for this kind here", UNKNOWN_KIND_PAUSE_SECONDS))
    _log.debug("job.started", extra=job.facts())
    started = time.monotonic()
    try:
        return handler.run(job) if ready is None else ready()
    except DeliveryFailed as failure:
        return Completion(_after(failure, job, backoff, is_reached=_is_reached(job, failure)))
    except Exception as error:  # noqa: BLE001 - the worker's outermost handler: a bug in one job must not end the others
        if _is_passing(error):
            # Spreads load, guards nothing.
            pause = DATABASE_PAUSE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311  # nosec B311
            return Completion(Outcome(Verdict.WAIT, "the database did not answer", pause))
        _log.error("job.bug", extra=job.facts(), exc_info=True)
        return Completion(_after(DeliveryFailed(bug(error)), job, backoff))
    finally:
        metrics.JOB_SECONDS.labels(job.kind).observe(time.monotonic() - started)


def _is_reached(job: ClaimedJob, failure: DeliveryFailed) -> bool | None:
    """A channel's queue has one other side; what other jobs call is another one each time."""
    is_about_this_one = failure.permanent or failure.http_status == HTTPStatus.TOO_MANY_REQUESTS
    return None if job.kind != JobKind.NOTIFY or is_about_this_one else False


def _after(
    failure: DeliveryFailed, job: ClaimedJob, backoff: Backoff, *, is_reached: bool | None = None
) -> Outcome:
    decision = decide_retry(failure, job.attempt, job.max_attempts, backoff)
    hush = min(failure.retry_after_seconds or 0.0, LONGEST_HUSH_SECONDS)
    if decision.delay_seconds is None:
        return Outcome(Verdict.DEAD, decision.reason, 0.0, hush, is_reached)
    return Outcome(Verdict.RETRY, decision.reason, decision.delay_seconds, hush, is_reached)


def _is_passing(error: Exception) -> bool:
    """Whether the database is to blame, and will be well again. Rows that always stand against it are our bug."""
    cause = (error.__cause__ or error) if isinstance(error, StorageUnavailable) else error
    if is_conflict(cause):
        return False
    return isinstance(error, StorageUnavailable) or is_unreachable(error) or is_retryable(error)


def cause_of(error: Exception) -> str:
    """What kind of trouble the database has, without the error's text: drivers put statements and values into it."""
    cause = error.__cause__ if isinstance(error, StorageUnavailable) else error
    code = error_code(cause) if isinstance(cause, DBAPIError) else None
    return f"{type(cause or error).__name__} {code}" if code else type(cause or error).__name__


def bug(error: BaseException) -> str:
    """Where an unexpected error happened, without its text: that may hold anything, secrets included."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}"

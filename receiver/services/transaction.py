"""Runs a whole transaction, and runs it again when the database says that this may help."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

import tenacity
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from receiver import metrics
from receiver.errors import StorageUnavailable
from receiver.logs import event_logger
from receiver.storage.engine import error_code, is_retryable

T = TypeVar("T")

MAX_ATTEMPTS = 12
BUDGET_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.004  # at most; each further one may be twice as long
_LONGEST_PAUSE_SECONDS = 0.2
_log = event_logger("transaction")


def transact(engine: Engine, work: Callable[[Connection, int], T]) -> T:
    """Run `work(connection, attempt)` in one transaction and commit it; `attempt` counts from 0.

    After a failure that may pass (deadlock, lock wait, a lost race, a lost connection) everything is rolled back and
    run again, with full jitter, at most MAX_ATTEMPTS times in BUDGET_SECONDS. `work` must stand being run again after
    a COMMIT whose outcome is unknown: its rows carry ids that were made before.
    Raises StorageUnavailable when that does not help. Other database errors (a bug, a missing table) pass through.
    """
    attempt = -1
    started = time.monotonic()

    def once() -> T:
        nonlocal attempt
        attempt += 1
        with engine.begin() as connection:
            return work(connection, attempt)

    try:
        try:
            return once()  # nearly always this is all, and tenacity's books would cost as much as a statement
        except (DBAPIError, PoolTimeout) as error:
            left_seconds = BUDGET_SECONDS - (time.monotonic() - started)
            if not is_retryable(error) or left_seconds <= 0:
                raise
            _note(error, attempt)
        time.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS))  # noqa: S311 - spreads load  # nosec B311
        return _retrying(left_seconds)(once)
    except (DBAPIError, PoolTimeout) as error:
        if not is_retryable(error):
            raise
        _let_go(error)
        raise StorageUnavailable(f"the database did not take it after {attempt + 1} attempts") from error


def _retrying(budget_seconds: float) -> tenacity.Retrying:
    """From the second attempt on."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_retryable),
        wait=tenacity.wait_random_exponential(
            multiplier=2 * _FIRST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS
        ),
        stop=tenacity.stop_after_attempt(MAX_ATTEMPTS - 1) | tenacity.stop_after_delay(budget_seconds),
        before_sleep=lambda state: _note(
            state.outcome.exception() if state.outcome else None, state.attempt_number
        ),
        reraise=True,
    )


def _note(error: BaseException | None, attempt: int) -> None:
    if error is not None:
        _let_go(error)
    code = str(error_code(error)) if isinstance(error, DBAPIError) else type(error).__name__
    metrics.RETRIES.labels(code).inc()
    _log.info("transaction.retry", extra={"code": code, "attempt": attempt + 1})


def _let_go(error: BaseException) -> None:
    """Empty the frames that `error` and those behind it came through.

    They hold each other and the statement, a quarter of a megabyte several times over, until the garbage collector
    comes: with a database that fails often that was 60 MB in half a minute.
    """
    behind: BaseException | None = error
    while behind is not None:
        traceback.clear_frames(behind.__traceback__)
        behind = behind.__cause__ or behind.__context__

"""Picks up jobs whose worker has died or lost its database. Every worker does it; doing it twice changes nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping

from sqlalchemy import Connection, Engine

from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.logs import event_logger
from receiver.services.job_handler import Completion, Handler
from receiver.services.transaction import transact
from receiver.storage import database_clock, leases
from receiver.storage.engine import reading
from receiver.worker.attempt import cause_of
from receiver.worker.recorder import LONGEST_PAUSE_SECONDS, try_to_settle

_log = event_logger("worker")
_BATCH = 50  # short transactions: others go on claiming meanwhile
REAP_SECONDS = 5.0


class Reaper:
    """Reaps now and then, in a thread of its own: a burial may have to wait for an incident that somebody holds."""

    def __init__(self, engine: Engine, handlers: Mapping[str, Handler]) -> None:
        self._engine = engine
        self._handlers = handlers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)

    def start(self) -> None:
        """Begin, with a first look at once."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. A burial that has to wait is left to other workers."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        was_away = False
        while not self._stopping.is_set():
            try:
                if was_away:
                    # Leases ran out meanwhile whose workers are alive, and have ends to record: they come first, or
                    # what was done would be done again.
                    with reading(self._engine) as connection:
                        database_clock.now(connection)
                    was_away = False
                    if self._stopping.wait(LONGEST_PAUSE_SECONDS + REAP_SECONDS):
                        return
                reap(self._engine, self._handlers)
            except Exception as error:  # noqa: BLE001 - the outermost handler: the worker outlives its database's troubles
                was_away = True
                _log.warning("worker.trouble", extra={"reason": cause_of(error)})
            # Spreads load, guards nothing.
            self._stopping.wait(REAP_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311  # nosec B311


def reap(engine: Engine, handlers: Mapping[str, Handler]) -> int:
    """Make jobs with an expired lease due again, or dead where no attempt is left; returns how many there were.

    Those whose end the database does not take just now are left for the next time, as are jobs of kinds without a
    handler here, for others. Raises what the database raises.
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
        if not try_to_settle(engine, handlers, job, Completion(Outcome(Verdict.DEAD, reason))):
            _log.info("job.unburied", extra=job.facts())
    return len(again) + len(exhausted)

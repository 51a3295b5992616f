"""Looks for due jobs and claims them for the queues that have room: one thread of a worker."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from receiver.domain.jobs import ClaimedJob
from receiver.errors import StorageUnavailable
from receiver.ids import new_ulid
from receiver.logs import event_logger
from receiver.services.job_handler import Handler
from receiver.services.transaction import transact
from receiver.storage import leases
from receiver.storage.engine import reading
from receiver.worker.attempt import cause_of
from receiver.worker.bulkhead import Bulkhead
from receiver.worker.lease import Leases

_log = event_logger("worker")

# A job that waits this long behind others, which must be hanging, may find a free thread in another worker.
LONGEST_UNSTARTED_SECONDS = 1.0
# Where one job was due, another soon will be: after a find, looks follow each other at first this soon, then twice as
# late each, until they are a poll apart again. In a storm half a poll would be most of what a message waits.
SOON_SECONDS = 0.05
SHORTEST_TROUBLE_SECONDS, LONGEST_TROUBLE_SECONDS = 0.2, 10.0


def claim(engine: Engine, queue: str, limit: int, lease_seconds: float, worker: str) -> list[ClaimedJob]:
    """Claim up to `limit` due jobs of `queue` in a transaction of its own. Raises what the database raises."""

    def work(connection: Connection, _: int) -> list[ClaimedJob]:
        # A new token in each run: should an earlier COMMIT have gone through after all, nobody holds what it claimed.
        return leases.claim(connection, queue, limit, lease_seconds, worker, new_ulid())

    return transact(engine, work)


class Dispatcher:
    """Fills the bulkheads of one worker: as they get room, and by polls, `poll_seconds` apart or less after a find."""

    def __init__(
        self,
        engine: Engine,
        handlers: Mapping[str, Handler],
        held: Leases,
        *,
        worker: str,
        poll_seconds: float,
    ) -> None:
        self._engine = engine
        self._handlers = handlers
        self._leases = held
        self._worker = worker
        self._poll_seconds = poll_seconds
        self._pause = poll_seconds  # until the next poll
        self._bulkheads: Sequence[Bulkhead] = ()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._next_poll = 0.0
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self, bulkheads: Sequence[Bulkhead]) -> None:
        """Begin to fill `bulkheads`."""
        self._bulkheads = bulkheads
        self._thread.start()

    def add(self, bulkhead: Bulkhead) -> None:
        """Begin to fill this one too. Callable while it runs."""
        self._bulkheads = (*self._bulkheads, bulkhead)

    def look_again(self) -> None:
        """A bulkhead that may find more jobs has room now. Callable from any thread."""
        self._wake.set()

    def stop(self, timeout_seconds: float) -> None:
        """Claim no more, and give back what has not been started. The bulkheads must have been stopped."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        self._give_back(0.0)

    def _run(self) -> None:
        trouble = 0.0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                pause = self._turn()
                trouble = 0.0
            except Exception as error:  # noqa: BLE001 - the outermost handler: the worker outlives its database's troubles
                trouble = min(LONGEST_TROUBLE_SECONDS, max(SHORTEST_TROUBLE_SECONDS, trouble * 2))
                pause = trouble * _jitter()
                _log.warning(
                    "worker.trouble", extra={"reason": cause_of(error), "pause_seconds": round(pause, 2)}
                )
                self._stopping.wait(pause)
            else:
                self._wake.wait(pause)

    def _turn(self) -> float:
        """Do what is to be done now; returns the seconds until the next turn."""
        self._give_back(LONGEST_UNSTARTED_SECONDS)
        if not self._leases.is_any_stale():
            for bulkhead in self._hungry():
                self._claim(bulkhead)
        return max(0.0, self._next_poll - time.monotonic())

    def _hungry(self) -> list[Bulkhead]:
        """The bulkheads with room whose queue has, or may have, due jobs."""
        found = [bulkhead for bulkhead in self._bulkheads if bulkhead.is_hungry]
        now = time.monotonic()
        if now >= self._next_poll:
            self._pause = min(self._poll_seconds, self._pause * 2)
            self._next_poll = now + self._pause * _jitter()
            asked = {one.queue: one for one in self._bulkheads if not one.is_hungry and one.room()}
            with reading(self._engine) as connection:
                found += [asked[queue] for queue in leases.due_queues(connection, list(asked))]
        return found

    def _claim(self, bulkhead: Bulkhead) -> None:
        room = bulkhead.room()
        if not room or self._stopping.is_set():
            return
        asked_at = time.monotonic()
        claimed = claim(self._engine, bulkhead.queue, room, self._leases.lease_seconds, self._worker)
        self._leases.confirm(claimed, asked_at)
        if claimed:
            self._pause = min(self._poll_seconds, SOON_SECONDS)
            self._next_poll = min(self._next_poll, time.monotonic() + self._pause)
        bulkhead.is_hungry = len(claimed) == room
        bulkhead.offer(claimed)
        if bulkhead.is_hungry and bulkhead.room():
            self._wake.set()  # all done already, before anybody knew that there may be more

    def _give_back(self, longer_than_seconds: float) -> None:
        unstarted = [job for one in self._bulkheads for job in one.take_unstarted(longer_than_seconds)]
        if not unstarted:
            return
        try:
            transact(self._engine, lambda connection, _: leases.release(connection, unstarted))
        except (StorageUnavailable, DBAPIError) as error:  # their leases run out by themselves
            _log.warning("worker.not_released", extra={"jobs": len(unstarted), "reason": cause_of(error)})


def _jitter() -> float:
    return random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing  # nosec B311

"""The leases a worker holds: it renews those of the jobs that it really has, and knows which it may still trust."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable

from sqlalchemy import Engine

from receiver.domain.jobs import ClaimedJob
from receiver.logs import event_logger
from receiver.services.transaction import transact
from receiver.storage import leases

_log = event_logger("worker")
_LARGEST_BEAT = 500


class Leases:
    """The jobs in hand, and when the database last confirmed each lease (monotonic seconds). Threads may share it.

    The moment counts at which the database was asked, and not that of its answer: the lease began before the answer.
    """

    def __init__(self, lease_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._confirmed: dict[tuple[int, str], tuple[ClaimedJob, float]] = {}

    def confirm(self, jobs: Iterable[ClaimedJob], asked_at: float) -> None:
        """The database has given or renewed the leases of `jobs`."""
        with self._lock:
            for job in jobs:
                self._confirmed[job.job_id, job.lease_token] = (job, asked_at)

    def renewed(self, jobs: Iterable[ClaimedJob], asked_at: float) -> None:
        """As `confirm`, but those that have been dropped meanwhile stay dropped."""
        with self._lock:
            for job in jobs:
                if (job.job_id, job.lease_token) in self._confirmed:
                    self._confirmed[job.job_id, job.lease_token] = (job, asked_at)

    def drop(self, jobs: Iterable[ClaimedJob]) -> None:
        """`jobs` are in hand no more; their leases are no longer renewed."""
        with self._lock:
            for job in jobs:
                self._confirmed.pop((job.job_id, job.lease_token), None)

    def held(self) -> list[ClaimedJob]:
        """The jobs in hand."""
        with self._lock:
            return [job for job, _ in self._confirmed.values()]

    def may_start(self, job: ClaimedJob) -> bool:
        """Whether the job's lease is fresh enough to begin something that cannot be taken back.

        The second half of the lease is left for the deed itself. A process that was stopped for a minute finds here
        that others may have its jobs.
        """
        with self._lock:
            known = self._confirmed.get((job.job_id, job.lease_token))
        return known is not None and self._monotonic() - known[1] < self.lease_seconds / 2

    def is_any_stale(self) -> bool:
        """Whether the heartbeat has failed for so long that no new job should be taken."""
        oldest_trusted = self._monotonic() - self.lease_seconds / 2
        with self._lock:
            return any(confirmed < oldest_trusted for _, confirmed in self._confirmed.values())


class Heartbeat:
    """Renews the leases four times in each lease's length, in a thread of its own."""

    def __init__(self, engine: Engine, held: Leases) -> None:
        self._engine = engine
        self._leases = held
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; leases that are still held run out by themselves."""
        self._stopping.set()
        self._thread.join()

    def beat(self) -> None:
        """Renew the leases of all jobs in hand, and drop those that are lost. Raises what the database raises."""
        held = self._leases.held()
        for start in range(0, len(held), _LARGEST_BEAT):
            self._renew(held[start : start + _LARGEST_BEAT])

    def _renew(self, held: list[ClaimedJob]) -> None:
        asked_at = time.monotonic()
        seconds = self._leases.lease_seconds
        lost = transact(self._engine, lambda connection, _: leases.extend(connection, held, seconds))
        self._leases.renewed(held, asked_at)
        # Those that ended while the database was asked are not lost, they are done.
        in_hand = {(job.job_id, job.lease_token) for job in self._leases.held()}
        self._leases.drop(lost)
        for job in lost:
            if (job.job_id, job.lease_token) in in_hand:
                _log.warning("lease.lost", extra=job.facts())

    def _run(self) -> None:
        quarter = self._leases.lease_seconds / 4
        # Random to spread load; it guards nothing.
        while not self._stopping.wait(quarter * random.uniform(0.8, 1.0)):  # noqa: S311  # nosec B311
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - the worker must outlive any trouble with its database
                _log.warning("lease.beat_failed", extra={"reason": type(error).__name__})

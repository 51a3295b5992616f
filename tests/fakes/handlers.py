"""A job handler that does what the test says, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import Connection

from receiver.domain.jobs import ClaimedJob, JobKind, Outcome, Verdict
from receiver.services.job_handler import Completion, Handler

DONE = Completion(Outcome(Verdict.DONE))


class Probe:
    """Calls `act` for each job; what that returns or raises is how the attempt ends (None: done)."""

    def __init__(self, act: Callable[[ClaimedJob], Completion | None] = lambda job: None) -> None:
        self._act = act
        self._lock = threading.Lock()
        self.started: list[ClaimedJob] = []
        self.buried: list[tuple[int, str]] = []

    @property
    def handlers(self) -> dict[str, Handler]:
        """As a worker takes it: this probe does the one kind that there is."""
        return {JobKind.NOTIFY.value: self}

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of the jobs in the order of their start."""
        with self._lock:
            return [job.idempotency_key for job in self.started]

    def run(self, job: ClaimedJob) -> Completion:
        with self._lock:
            self.started.append(job)
        return self._act(job) or DONE

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        self.buried.append((job.job_id, reason))

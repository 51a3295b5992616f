"""What every kind of job follows. To add one: its name in domain.jobs.JobKind, a service with a class after `Handler`,
and a line in worker/handlers.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from receiver.domain.jobs import ClaimedJob, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Completion:
    """How an attempt ended, and what is to be written in the same transaction as that."""

    outcome: Outcome
    write: Callable[[Connection], None] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the job is done and there is nothing else to write."""
        return self.outcome.verdict is Verdict.DONE and self.write is None


class Handler(Protocol):
    """One kind of job."""

    def run(self, job: ClaimedJob) -> Completion:
        """Do the job's deed, outside any transaction, and say what came of it.

        It may have been done before: a worker can die between the deed and its record.
        Raises DeliveryFailed where the outside world did not take it: the worker decides about another attempt.
        """

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Write what else has to be known when the job becomes a dead letter because of `reason`."""

"""What every kind of job follows. To add one: its name in domain.jobs.JobKind, a service with a class after `Handler`,
and a line in worker/handlers.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from sqlalchemy import Connection

from receiver.domain.jobs import ClaimedJob, Outcome, Verdict

Attempt = Callable[[], "Completion"]


class SharedWrite(ABC):
    """What one job's end writes about its incident, where the ends of many incidents take the same few statements."""

    __slots__ = ()

    @property
    @abstractmethod
    def incident_id(self) -> str:
        """Whose incident it is. No two of one transaction are of the same."""

    @abstractmethod
    def __call__(self, connection: Connection) -> None:
        """Write this one."""

    @abstractmethod
    def write_all(self, connection: Connection, batch: Sequence[Self]) -> None:
        """Write all of `batch`, of which this is one, without waiting for any incident's lock.

        Raises LocksBusy with those that would have to be waited for: roll back, and write the others.
        """


@dataclass(frozen=True, slots=True)
class Completion:
    """How an attempt ended, and what is to be written in the same transaction as that."""

    outcome: Outcome
    write: Callable[[Connection], None] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the job is done and there is nothing else to write."""
        return self.outcome.verdict is Verdict.DONE and self.write is None

    @property
    def shared(self) -> SharedWrite | None:
        """What is to be written, where that can be done together with the ends of other jobs."""
        if self.outcome.verdict is Verdict.DONE and isinstance(self.write, SharedWrite):
            return self.write
        return None


class Handler(Protocol):
    """One kind of job."""

    def run(self, job: ClaimedJob) -> Completion:
        """Do the job's deed, outside any transaction, and say what came of it.

        It may have been done before: a worker can die between the deed and its record.
        Raises DeliveryFailed where the outside world did not take it: the worker decides about another attempt.
        """

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Write what else has to be known when the job becomes a dead letter because of `reason`."""


@runtime_checkable
class Foresighted(Handler, Protocol):
    """A handler that can ask the database for several jobs at once."""

    def prepare(self, batch: Sequence[ClaimedJob]) -> Sequence[Attempt]:
        """What `run` does for each of `batch`, with what it has to know already read, just now and after their claims.

        Raises what the database raises.
        """

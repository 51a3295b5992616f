"""Follow-up work: rows of the job table that workers poll."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """The life of a job row."""

    READY = "ready"  # waits for its due time, or for a free worker
    RUNNING = "running"  # a worker holds its lease
    DONE = "done"
    DEAD = "dead"  # dead letter: given up, with the reason in last_error; people may retry it
    UNKNOWN = "unknown"  # it may have had its effect; only people may decide


class JobKind(StrEnum):
    """What a job does. Each kind has one handler in worker/handlers.py."""

    NOTIFY = "notify"
    DIAGNOSE = "diagnose"
    REMEDIATE = "remediate"
    ESCALATE = "escalate"
    PUBLISH = "publish"
    HOUSEKEEPING = "housekeeping"
    ROLLUP = "rollup"


@dataclass(slots=True)
class JobRequest:
    """A job to be written. Two requests with one `idempotency_key` are the same job.

    `queue` is its bulkhead: the kind, and for notifications the channel too, so that a slow channel holds up no other.
    `delay_seconds` counts from the database's clock at the time of writing.
    """

    kind: JobKind
    queue: str
    idempotency_key: str
    payload: dict[str, Any] = field(default_factory=dict)
    incident_id: str | None = None
    trace_id: str = ""
    max_attempts: int = 10
    delay_seconds: float = 0.0


def notify_queue(channel: str) -> str:
    """The queue of a channel's notifications: each channel is a bulkhead of its own."""
    return f"{JobKind.NOTIFY.value}-{channel}"


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that one worker owns for now. `attempt` counts from 1.

    `lease_token` is made anew for each claim, so it names this attempt and no other: what is recorded under it is
    recorded once, and a worker that has slept through its lease can record nothing.
    """

    job_id: int
    queue: str
    kind: str
    idempotency_key: str
    payload: dict[str, Any]
    incident_id: str | None
    attempt: int
    max_attempts: int
    trace_id: str
    lease_token: str

    def facts(self) -> dict[str, Any]:
        """What a log line says of it."""
        return {
            "job_id": self.job_id,
            "kind": self.kind,
            "queue": self.queue,
            "attempt": self.attempt,
            "incident_id": self.incident_id,
            "trace_id": self.trace_id,
        }


class Verdict(StrEnum):
    """How one attempt ended."""

    DONE = "done"
    RETRY = "retry"  # it failed, and another attempt follows
    WAIT = "wait"  # nothing failed, it is only too early: does not count as an attempt
    DEAD = "dead"  # it failed, and no attempt follows


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended, and why. `delay_seconds`: until the next one. `hush_seconds`: for the whole queue.

    `is_reached`: whether the channel took the message; None: it was not asked, or answered about this message only.
    """

    verdict: Verdict
    reason: str = ""
    delay_seconds: float = 0.0
    hush_seconds: float = 0.0
    is_reached: bool | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as people see it. Times are UTC, by the database's clock."""

    job_id: int
    queue: str
    kind: str
    state: str
    attempt: int
    max_attempts: int
    incident_id: str | None
    trace_id: str
    created_at: datetime
    run_at: datetime
    finished_at: datetime | None
    worker: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many jobs of a queue are in each state (`done` is not counted), and how late its oldest due job is."""

    queue: str
    jobs: dict[str, int]
    oldest_due_seconds: float

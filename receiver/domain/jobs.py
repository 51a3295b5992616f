"""Follow-up work: rows of the job table that workers poll."""

from __future__ import annotations

from dataclasses import dataclass, field
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

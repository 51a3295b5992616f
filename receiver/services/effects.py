"""Turns events into what the rules ask for: more events, and jobs, to be written in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.domain.events import Event, EventType
from receiver.domain.jobs import JobKind, JobRequest, notify_queue
from receiver.domain.policy import effects_of

NOTIFY_ATTEMPTS = 12  # with the default backoff: about an hour and a half


def follow_ups(events: Sequence[Event], channels: Sequence[str]) -> tuple[list[Event], list[JobRequest]]:
    """All events to write, the given ones and `notification.requested` after the one that asks for it; and the jobs."""
    written: list[Event] = []
    jobs: list[JobRequest] = []
    for event in events:
        written.append(event)
        for effect in effects_of(event, channels):
            payload = {"channel": effect.channel, "template": effect.template.value, "sequence": 0}
            written.append(
                Event(
                    type=EventType.NOTIFICATION_REQUESTED,
                    created_at=event.created_at,
                    actor="rules",
                    trace_id=event.trace_id,
                    incident_id=event.incident_id,
                    payload=payload | {"reason": effect.reason},
                )
            )
            jobs.append(
                JobRequest(
                    kind=JobKind.NOTIFY,
                    queue=notify_queue(effect.channel),
                    idempotency_key=f"notify:{event.incident_id}:{effect.channel}:{effect.template.value}",
                    payload=payload,
                    incident_id=event.incident_id,
                    trace_id=event.trace_id,
                    max_attempts=NOTIFY_ATTEMPTS,
                )
            )
    return written, jobs

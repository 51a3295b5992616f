"""Writes events, and what the rules ask for because of them: more events, and jobs, in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from receiver.domain.announcement import Announcement, job_key
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import JobKind, JobRequest, notify_queue
from receiver.domain.rules.evaluate import NotifyEffect, is_news, notifications
from receiver.runtime import Runtime
from receiver.services.subjects import SubjectOf
from receiver.storage import events, jobs

NOTIFY_ATTEMPTS = 12  # with the default backoff: about an hour and a half

Asked = Sequence[tuple[Event, Sequence[NotifyEffect]]]


def tell(connection: Connection, runtime: Runtime, told: Sequence[Event], subject_of: SubjectOf) -> None:
    """Write `told`, and after each event what it brings about. The incidents' locks must be held."""
    asked = [(event, _effects(runtime, event, subject_of)) for event in told]
    # An update tells a channel only if it has not heard of the incident before. The lock keeps that true until COMMIT.
    doubtful = [
        _key(event, effect)
        for event, effects in asked
        for effect in effects
        if event.type is EventType.INCIDENT_UPDATED
    ]
    written, requested = follow_ups(asked, jobs.existing(connection, doubtful) if doubtful else ())
    events.insert_many(connection, written)
    if requested:
        jobs.insert_many(connection, requested)


def follow_ups(asked: Asked, known: Collection[str]) -> tuple[list[Event], list[JobRequest]]:
    """All events to write, `notification.requested` after the one that asks for it; and the jobs.

    `known`: keys of jobs that exist already, and are not asked for again.
    """
    written: list[Event] = []
    jobs_by_key: dict[str, JobRequest] = {}
    for event, effects in asked:
        written.append(event)
        for effect in effects:
            key = _key(event, effect)
            if key in known or key in jobs_by_key:
                continue
            payload: dict[str, object] = {
                "channel": effect.channel,
                "template": effect.template.value,
                "sequence": 0,
            }
            written.append(_requested(event, payload | {"rule": effect.rule}))
            jobs_by_key[key] = JobRequest(
                kind=JobKind.NOTIFY,
                queue=notify_queue(effect.channel),
                idempotency_key=key,
                payload=payload,
                incident_id=event.incident_id,
                trace_id=event.trace_id,
                max_attempts=NOTIFY_ATTEMPTS,
            )
    return written, list(jobs_by_key.values())


def _effects(runtime: Runtime, event: Event, subject_of: SubjectOf) -> Sequence[NotifyEffect]:
    if not runtime.rules.reacts_to(event.type) or not is_news(event):
        return ()
    return notifications(runtime.rules, event.type, subject_of(event), runtime.audience)


def _key(event: Event, effect: NotifyEffect) -> str:
    assert event.incident_id is not None  # only events of incidents have effects
    return job_key(event.incident_id, Announcement(effect.channel, effect.template))


def _requested(event: Event, payload: dict[str, object]) -> Event:
    return Event(
        type=EventType.NOTIFICATION_REQUESTED,
        created_at=event.created_at,
        actor="rules",
        trace_id=event.trace_id,
        incident_id=event.incident_id,
        payload=payload,
    )

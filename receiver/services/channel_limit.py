"""Lets a message pass on its way to a channel: by itself, into a bundle, later, or not at all.

It is decided in the database, under the channel's lock, in a short transaction before anybody is called: so any number
of workers together keep the limit, and a message that is put into a bundle is recorded there in the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from receiver.domain.announcement import Announcement, Said, bundle_of_beginning
from receiver.domain.channel_pace import BUNDLED, Message, Pace, Passage, Way, close
from receiver.domain.channel_pace import pass_on as decide
from receiver.domain.jobs import ClaimedJob, JobKind, JobRequest
from receiver.domain.notification import NotificationState, Template
from receiver.domain.severity import Priority
from receiver.runtime import Runtime
from receiver.services.transaction import transact
from receiver.storage import bundles, channel_pace, database_clock, jobs, leases, notifications
from receiver.storage.notifications import MessageEnd

BUNDLE_PAUSE_SECONDS = 2.0


def pass_on(
    runtime: Runtime,
    job: ClaimedJob,
    announcement: Announcement,
    incident: RowMapping,
    said: Sequence[Said],
) -> Passage:
    """How the message goes out. What is bundled or dropped has been recorded when this returns.

    Raises LeaseLost, StorageUnavailable.
    """
    message = Message(
        announcement.channel, announcement.template, incident["priority"], bundle_of_beginning(said)
    )

    if incident["priority"] == Priority.P0 and announcement.template in BUNDLED and not message.bundle:
        return Passage(Way.SINGLE, Pace())  # whatever else there is to tell: no lock, and not counted either

    def work(connection: Connection, attempt: int) -> Passage:
        leases.hold(connection, job)  # else another worker might send what this one bundles
        if attempt and (settled := _settled(connection, job, announcement)) is not None:
            return settled
        pace = channel_pace.lock(connection, announcement.channel)
        if _must_wait_for_bundle(connection, message, pace):
            return Passage(Way.LATER, pace, delay_seconds=BUNDLE_PAUSE_SECONDS)
        now = database_clock.now(connection)
        passage = decide(message, pace, runtime.settings.notify_per_minute, now)
        if passage.way is Way.BUNDLE:
            _bundle(connection, runtime, job, announcement, incident, passage)
        if passage.way is Way.DROP:
            _drop(connection, runtime, job, announcement, incident)
        channel_pace.save(connection, announcement.channel, passage.pace)
        return passage

    return transact(runtime.engine, work)


def close_bundle(runtime: Runtime, job: ClaimedJob, channel: str, key: str) -> None:
    """From now on nothing more goes into the bundle. Raises LeaseLost, StorageUnavailable."""

    def work(connection: Connection, attempt: int) -> None:
        leases.hold(connection, job)
        pace = channel_pace.lock(connection, channel)
        channel_pace.save(connection, channel, close(pace, key, database_clock.now(connection)))

    transact(runtime.engine, work)


def _settled(connection: Connection, job: ClaimedJob, announcement: Announcement) -> Passage | None:
    """What an earlier COMMIT has recorded although its answer was lost."""
    assert job.incident_id is not None
    for one in notifications.said(connection, job.incident_id, announcement.channel):
        if (one.template, one.sequence) == (announcement.template, announcement.sequence):
            if one.state == NotificationState.BUNDLED:
                return Passage(Way.BUNDLE, Pace(), key=one.provider_ref)
            if one.state == NotificationState.SUPERSEDED:
                return Passage(Way.DROP, Pace())
    return None


def _must_wait_for_bundle(connection: Connection, message: Message, pace: Pace) -> bool:
    """Whether the end would be told by itself, as it became a P0, before the bundle that tells of the beginning."""
    if message.template is not Template.RESOLVED or not message.bundle or message.priority != Priority.P0:
        return False
    is_open = any(one.key == message.bundle for one in pace.bundles.values())
    return not is_open and notifications.is_any_unended(connection, [message.bundle])


def _bundle(
    connection: Connection,
    runtime: Runtime,
    job: ClaimedJob,
    announcement: Announcement,
    incident: RowMapping,
    passage: Passage,
) -> None:
    assert announcement.template in BUNDLED
    if passage.opens:
        since = bundles.members_since(connection)
        jobs.insert_many(connection, [_job(job, announcement, passage, since)])
    state, detail = NotificationState.BUNDLED, "waits for its bundle"
    end = _end(job, announcement, incident, runtime.clock(), state, detail, passage.key)
    notifications.record(connection, end)


def _drop(
    connection: Connection,
    runtime: Runtime,
    job: ClaimedJob,
    announcement: Announcement,
    incident: RowMapping,
) -> None:
    why = "it was over before its bundle was sent"
    at = runtime.clock()
    bundles.leave(connection, incident["incident_id"], announcement.channel, why, at)
    notifications.record(connection, _end(job, announcement, incident, at, NotificationState.SUPERSEDED, why))


def _end(
    job: ClaimedJob,
    announcement: Announcement,
    incident: RowMapping,
    at: datetime,
    state: NotificationState,
    detail: str,
    provider_ref: str = "",
) -> MessageEnd:
    severity, alert_count = incident["severity"], incident["alert_count"]
    return MessageEnd(job, announcement, state, severity, alert_count, at, detail, provider_ref)


def _job(job: ClaimedJob, announcement: Announcement, passage: Passage, since: int) -> JobRequest:
    return JobRequest(
        kind=JobKind.NOTIFY,
        queue=job.queue,
        idempotency_key=passage.key,
        payload={
            "bundle": passage.key,
            "channel": announcement.channel,
            "template": announcement.template.value,
            "since": since,
        },
        trace_id=job.trace_id,
        max_attempts=job.max_attempts,
        delay_seconds=passage.delay_seconds,
    )

"""What is written when a message has ended: its record, what follows from it, and its event, for one or for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import Connection

from receiver.domain.announcement import Announcement, follow_up
from receiver.domain.announcement_request import Ask, told
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import ClaimedJob, JobRequest
from receiver.domain.notification import NotificationState, Template
from receiver.runtime import Runtime
from receiver.services.job_handler import SharedWrite
from receiver.storage import events, jobs, notifications
from receiver.storage.notifications import MessageEnd

ACTOR = "worker"
PREDECESSOR_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the message that `ask` asked for: it was sent, or it was overtaken before that."""

    runtime: Runtime
    ask: Ask
    end: MessageEnd

    @property
    def incident_id(self) -> str:
        """Whose message it was."""
        assert self.end.job.incident_id is not None
        return self.end.job.incident_id

    @property
    def is_sent(self) -> bool:
        """Whether people were told something."""
        return self.end.state is NotificationState.SENT

    def __call__(self, connection: Connection) -> None:
        """Write it, whatever earlier attempts may have left."""
        notifications.record(connection, self.end)
        if not self.is_sent:
            return
        ask_for_next(connection, self.runtime, self.end.job, self.ask)
        # Last, because everybody who reports on this incident waits for its lock; before the event, because the lock
        # is what puts the incident's events into the order of their commits.
        notifications.mark_notified(connection, self.incident_id, self.end.at)
        events.insert_many(connection, [self.event()])

    def event(self) -> Event:
        """How it is told on the incident's timeline."""
        job, reference = self.end.job, self.end.provider_ref
        kind = EventType.NOTIFICATION_DELIVERED
        return event_of(kind, job, self.ask.announcement, self.end.at, provider_ref=reference)


class FirstEnded(Ended, SharedWrite):
    """The same where nothing of this message has been written before: no need to look, so many share a transaction."""

    __slots__ = ()

    def write_all(self, connection: Connection, batch: Sequence[Self]) -> None:
        """Write all of `batch` by a handful of statements. Raises LocksBusy."""
        notifications.record_first(connection, [one.end for one in batch])
        sent = [one for one in batch if one.is_sent]
        if not sent:
            return
        following = [next_message(one.runtime, one.end.job, one.ask) for one in sent]
        jobs.insert_many(connection, [request for request in following if request is not None])
        # Last, and before the events, as above.
        ids = [one.incident_id for one in sent]
        notifications.lock_at_once(connection, ids)
        notifications.mark_all_notified(connection, ids, max(one.end.at for one in sent))
        events.insert_many(connection, [one.event() for one in sent])


def can_share(job: ClaimedJob, ask: Ask, has_died: bool) -> bool:
    """Whether nothing that this message's end writes can be there already."""
    # The reminders after a failed action are counted by those that there were.
    return job.attempt == 1 and not has_died and ask.announcement.template is not Template.ACTION_FAILED


def ask_for_next(connection: Connection, runtime: Runtime, job: ClaimedJob, ask: Ask) -> None:
    """Ask for the message that may follow, unless that was done before."""
    assert job.incident_id is not None
    last = 0
    if ask.announcement.template is Template.ACTION_FAILED:
        channel = ask.announcement.channel
        last = notifications.last_sequence(connection, job.incident_id, channel, Template.REMINDER)
    following = next_message(runtime, job, ask, last)
    if following is not None:
        jobs.insert_once(connection, [following])


def next_message(runtime: Runtime, job: ClaimedJob, ask: Ask, last_reminder: int = 0) -> JobRequest | None:
    """The job that asks for the message that may follow this one; None if none does, or the channel wants none."""
    assert job.incident_id is not None
    following = follow_up(ask.announcement, last_reminder)
    notifier = runtime.notifiers.get(ask.announcement.channel)
    if following is None or ask.is_quiet or notifier is None or following.template not in notifier.templates:
        return None
    return Ask(following, rule=ask.rule, wording=ask.wording).request(
        job.incident_id,
        job.trace_id,
        delay_seconds=interval(runtime, following),
        max_attempts=job.max_attempts,
    )


def interval(runtime: Runtime, announcement: Announcement) -> float:
    """Seconds until there may be something for this message to say."""
    if announcement.template is Template.APPROVAL_NEEDED:
        return PREDECESSOR_PAUSE_SECONDS
    reminds = announcement.template is Template.REMINDER
    return runtime.settings.remind_interval_seconds if reminds else runtime.settings.update_interval_seconds


def event_of(
    type_: EventType, job: ClaimedJob, announcement: Announcement, at: datetime, **more: str
) -> Event:
    """What became of a message, as an event."""
    return Event(
        type=type_,
        created_at=at,
        actor=ACTOR,
        trace_id=job.trace_id,
        incident_id=job.incident_id,
        payload=told(announcement) | {"attempt": job.attempt} | more,
    )

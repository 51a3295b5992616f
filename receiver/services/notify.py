"""The `notify` job: tells one channel, once, about one occasion of an incident, if there is still something to tell.

What is above a channel's limit goes into a bundle, which is a `notify` job of its own: services/bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from receiver import metrics
from receiver.domain.announcement import (
    Announcement,
    Plan,
    Said,
    Situation,
    Step,
    follow_up,
    job_key,
    message_keys,
    plan,
    waits_for_the_beginning,
    waits_for_those_under_way,
)
from receiver.domain.announcement_request import Ask, told
from receiver.domain.channel_pace import Way
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.domain.notification import NotificationState, Receipt, Template
from receiver.errors import DeliveryFailed, LeaseLost
from receiver.notifiers.base import Notifier
from receiver.runtime import Runtime
from receiver.services import message_content
from receiver.services.bundle import BundleSender
from receiver.services.channel_limit import pass_on
from receiver.services.effects import tell
from receiver.services.job_handler import Completion
from receiver.services.subjects import subject_of_row
from receiver.storage import events, incident_changes, jobs, notifications
from receiver.storage.engine import reading

ACTOR = "worker"
PREDECESSOR_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Subject:
    """The incident as it was read before sending, and what its channel has heard so far."""

    incident: RowMapping
    action: Mapping[Any, Any] | None
    said: Sequence[Said]
    must_wait_for_another: bool

    @property
    def situation(self) -> Situation:
        row = self.incident
        return Situation(
            status=row["status"],
            severity=row["severity"],
            alert_count=row["alert_count"],
            acknowledged_at=row["acknowledged_at"],
            acknowledged_by=row["acknowledged_by"] or "somebody",
            mitigation=row["mitigation"],
            action_state=self.action["state"] if self.action else "",
        )


class NotifyHandler:
    """Sends what jobs of kind `notify` ask for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._bundles = BundleSender(runtime)

    def run(self, job: ClaimedJob) -> Completion:
        """Send the message unless it was sent before, has been overtaken, or has nothing new to say.

        Raises DeliveryFailed.
        """
        if BundleSender.owns(job):
            return self._bundles.run(job)
        ask = Ask.from_payload(job.payload)
        subject = self._read(job, ask)
        if subject is None:
            return Completion(Outcome(Verdict.DONE, "its incident does not exist any more"))
        if subject.must_wait_for_another:
            return _wait_for_another()
        planned = plan(ask.announcement, subject.situation, subject.said)
        match planned.step:
            case Step.SKIP:
                return Completion(Outcome(Verdict.DONE, planned.reason))
            case Step.WAIT:
                return Completion(Outcome(Verdict.WAIT, planned.reason, self._interval(ask.announcement)))
            case Step.SUPERSEDE:
                return self._supersede(job, ask.announcement, subject, planned)
            case Step.SEND:
                return self._pass_on(job, ask, subject, planned)

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Record that the message was given up, and tell it on the incident's timeline."""
        if BundleSender.owns(job):
            self._bundles.bury(connection, job, reason)
            return
        ask = Ask.from_payload(job.payload)
        announcement = ask.announcement
        incident = incident_changes.find_and_lock(connection, job.incident_id)
        if incident is None:
            return
        notifications.record(
            connection,
            job,
            announcement,
            NotificationState.DEAD,
            severity=incident["severity"],
            alert_count=incident["alert_count"],
            at=self._runtime.clock(),
            detail=reason,
        )
        if announcement.template in (Template.ACTION_FAILED, Template.REMINDER):
            self._follow_up(connection, job, ask)  # the channel may be well again by then
        failed = self._event(EventType.NOTIFICATION_FAILED, job, announcement, reason=reason)
        # Rules may have it told elsewhere.
        tell(connection, self._runtime, [failed], lambda event: subject_of_row(event, incident))
        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.DEAD.value).inc()

    def _read(self, job: ClaimedJob, ask: Ask) -> _Subject | None:
        if job.incident_id is None:
            return None
        announcement = ask.announcement
        with reading(self._runtime.engine) as connection:
            incident = notifications.incident(connection, job.incident_id)
            if incident is None:
                return None
            return _Subject(
                incident,
                notifications.action(connection, ask.action_id) if ask.action_id else None,
                notifications.said(connection, job.incident_id, announcement.channel),
                _must_wait(connection, job, announcement),
            )

    def _interval(self, announcement: Announcement) -> float:
        if announcement.template is Template.APPROVAL_NEEDED:
            return PREDECESSOR_PAUSE_SECONDS
        settings = self._runtime.settings
        reminds = announcement.template is Template.REMINDER
        return settings.remind_interval_seconds if reminds else settings.update_interval_seconds

    def _supersede(
        self, job: ClaimedJob, announcement: Announcement, subject: _Subject, planned: Plan
    ) -> Completion:
        def write(connection: Connection) -> None:
            self._record(connection, job, announcement, subject, NotificationState.SUPERSEDED, planned.reason)

        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.SUPERSEDED.value).inc()
        return Completion(Outcome(Verdict.DONE, f"superseded: {planned.reason}"), write)

    def _pass_on(self, job: ClaimedJob, ask: Ask, subject: _Subject, planned: Plan) -> Completion:
        notifier = self._runtime.notifiers.get(ask.announcement.channel)
        if notifier is None:
            raise DeliveryFailed(f"the channel {ask.announcement.channel} is not configured on this worker")
        if ask.announcement.template not in notifier.templates:  # it is another kind of channel by now
            unwanted = Plan(Step.SUPERSEDE, "the channel has no use for such a message")
            return self._supersede(job, ask.announcement, subject, unwanted)
        if Template.BUNDLE not in notifier.templates:  # it folds by itself, and is to hear of each
            return self._send(notifier, job, ask, subject, planned)
        try:
            passage = pass_on(self._runtime, job, ask.announcement, subject.incident, subject.said)
        except LeaseLost as lost:  # what is returned cannot be recorded either, and the new owner decides
            return Completion(Outcome(Verdict.RETRY, str(lost)))
        match passage.way:
            case Way.SINGLE:
                return self._send(notifier, job, ask, subject, planned)
            case Way.LATER:
                reason = "the channel has had its messages for this minute, or a bundle comes first"
                return Completion(Outcome(Verdict.WAIT, reason, passage.delay_seconds))
            case Way.BUNDLE:
                return Completion(Outcome(Verdict.DONE, f"told together with others by {passage.key}"))
            case Way.DROP:
                return Completion(Outcome(Verdict.DONE, "superseded: over before its bundle was sent"))

    def _send(
        self, notifier: Notifier, job: ClaimedJob, ask: Ask, subject: _Subject, planned: Plan
    ) -> Completion:
        announcement = ask.announcement
        died = any(
            (one.template, one.sequence) == (announcement.template, announcement.sequence)
            for one in subject.said
        )
        receipt = notifier.send(
            message_content.notification(
                self._runtime.settings,
                ask,
                subject.incident,
                action=subject.action,
                said=subject.said,
                changes=planned.changes,
                may_have_been_sent=died or job.attempt > 1,
            )
        )
        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.SENT.value).inc()
        return Completion(
            Outcome(Verdict.DONE, "sent"),
            lambda connection: self._delivered(connection, job, ask, subject, receipt),
        )

    def _delivered(
        self, connection: Connection, job: ClaimedJob, ask: Ask, subject: _Subject, receipt: Receipt
    ) -> None:
        state, reference = NotificationState.SENT, receipt.provider_ref
        self._record(connection, job, ask.announcement, subject, state, receipt.detail, reference)
        self._follow_up(connection, job, ask)
        # Last, because everybody who reports on this incident waits for its lock; before the event, because the lock
        # is what puts the incident's events into the order of their commits.
        notifications.mark_notified(connection, subject.incident["incident_id"], self._runtime.clock())
        delivered = self._event(
            EventType.NOTIFICATION_DELIVERED, job, ask.announcement, provider_ref=reference
        )
        events.insert_many(connection, [delivered])

    def _follow_up(self, connection: Connection, job: ClaimedJob, ask: Ask) -> None:
        assert job.incident_id is not None
        channel = ask.announcement.channel
        last = 0
        if ask.announcement.template is Template.ACTION_FAILED:
            last = notifications.last_sequence(connection, job.incident_id, channel, Template.REMINDER)
        following = follow_up(ask.announcement, last)
        notifier = self._runtime.notifiers.get(channel)
        if following is None or ask.is_quiet or notifier is None:
            return
        if following.template in notifier.templates:
            asked = Ask(following, rule=ask.rule, wording=ask.wording).request(
                job.incident_id,
                job.trace_id,
                delay_seconds=self._interval(following),
                max_attempts=job.max_attempts,
            )
            jobs.insert_once(connection, [asked])

    def _record(
        self,
        connection: Connection,
        job: ClaimedJob,
        announcement: Announcement,
        subject: _Subject,
        state: NotificationState,
        detail: str,
        provider_ref: str = "",
    ) -> None:
        notifications.record(
            connection,
            job,
            announcement,
            state,
            # What was said, and not what is true by now: the next update counts from here.
            severity=subject.situation.severity,
            alert_count=subject.situation.alert_count,
            at=self._runtime.clock(),
            detail=detail,
            provider_ref=provider_ref,
        )

    def _event(self, type_: EventType, job: ClaimedJob, announcement: Announcement, **more: str) -> Event:
        return Event(
            type=type_,
            created_at=self._runtime.clock(),
            actor=ACTOR,
            trace_id=job.trace_id,
            incident_id=job.incident_id,
            payload=told(announcement) | {"attempt": job.attempt} | more,
        )


def _wait_for_another() -> Completion:
    waiting = "a message that belongs before this one has not ended yet"
    return Completion(Outcome(Verdict.WAIT, waiting, PREDECESSOR_PAUSE_SECONDS))


def _must_wait(connection: Connection, job: ClaimedJob, announcement: Announcement) -> bool:
    assert job.incident_id is not None
    if waits_for_those_under_way(announcement):
        begin = message_keys(job.incident_id, announcement.channel)
        return notifications.is_any_under_way(connection, begin, but=job.idempotency_key)
    if waits_for_the_beginning(announcement):
        opened = job_key(job.incident_id, Announcement(announcement.channel, Template.OPENED))
        return notifications.is_any_unended(connection, [opened])
    return False

"""The `notify` job: tells one channel, once, about one occasion of an incident, if there is still something to tell.

What is above a channel's limit goes into a bundle, which is a `notify` job of its own: services/bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping

from receiver import metrics
from receiver.domain.announcement import (
    Announcement,
    Plan,
    Said,
    Situation,
    Step,
    job_key,
    message_keys,
    plan,
    waits_for_the_beginning,
    waits_for_those_under_way,
)
from receiver.domain.announcement_request import Ask
from receiver.domain.channel_pace import Way
from receiver.domain.events import EventType
from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.domain.notification import NotificationState, Template
from receiver.errors import DeliveryFailed, LeaseLost
from receiver.notifiers.base import Notifier
from receiver.runtime import Runtime
from receiver.services import message_content
from receiver.services.bundle import BundleSender
from receiver.services.channel_limit import pass_on
from receiver.services.effects import tell
from receiver.services.job_handler import Attempt, Completion
from receiver.services.message_end import (
    PREDECESSOR_PAUSE_SECONDS,
    Ended,
    FirstEnded,
    ask_for_next,
    can_share,
    event_of,
    interval,
)
from receiver.services.subjects import subject_of_row
from receiver.storage import incident_changes, notifications
from receiver.storage.engine import reading
from receiver.storage.notifications import MessageEnd


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

    def has_heard_of(self, announcement: Announcement) -> bool:
        """Whether an end of this very message is recorded. As it is to be sent all the same, that was its death."""
        occasion = announcement.template, announcement.sequence
        return any((one.template, one.sequence) == occasion for one in self.said)


class NotifyHandler:
    """Sends what jobs of kind `notify` ask for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._bundles = BundleSender(runtime)

    def run(self, job: ClaimedJob) -> Completion:
        """Send the message unless it was sent before, has been overtaken, or has nothing new to say.

        Raises DeliveryFailed.
        """
        (tell_it,) = self.prepare([job])
        return tell_it()

    def prepare(self, batch: Sequence[ClaimedJob]) -> Sequence[Attempt]:
        """What `run` does, with the incidents of all these jobs read together: what it finds is for sending soon.

        What has been said of an incident on this very occasion cannot change meanwhile: only who holds the job's lease
        writes that.
        """
        asks = {job.job_id: Ask.from_payload(job.payload) for job in batch if not BundleSender.owns(job)}
        subjects = self._read([(job, asks[job.job_id]) for job in batch if job.job_id in asks])
        return [
            partial(self._tell, job, asks[job.job_id], subjects.get(job.job_id))
            if job.job_id in asks
            else partial(self._bundles.run, job)
            for job in batch
        ]

    def _tell(self, job: ClaimedJob, ask: Ask, subject: _Subject | None) -> Completion:
        if subject is None:
            return Completion(Outcome(Verdict.DONE, "its incident does not exist any more"))
        if subject.must_wait_for_another:
            return _wait_for_another()
        planned = plan(ask.announcement, subject.situation, subject.said)
        match planned.step:
            case Step.SKIP:
                return Completion(Outcome(Verdict.DONE, planned.reason))
            case Step.WAIT:
                pause = interval(self._runtime, ask.announcement)
                return Completion(Outcome(Verdict.WAIT, planned.reason, pause))
            case Step.SUPERSEDE:
                return self._supersede(job, ask, subject, planned)
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
        severity, alert_count, at = incident["severity"], incident["alert_count"], self._runtime.clock()
        end = MessageEnd(job, announcement, NotificationState.DEAD, severity, alert_count, at, reason)
        notifications.record(connection, end)
        if announcement.template in (Template.ACTION_FAILED, Template.REMINDER):
            ask_for_next(connection, self._runtime, job, ask)  # the channel may be well again by then
        failed = event_of(EventType.NOTIFICATION_FAILED, job, announcement, at, reason=reason)
        # Rules may have it told elsewhere.
        tell(connection, self._runtime, [failed], lambda event: subject_of_row(event, incident))
        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.DEAD.value).inc()

    def _read(self, asked: Sequence[tuple[ClaimedJob, Ask]]) -> dict[int, _Subject]:
        """What is known of the incident of each job, by the job's id; without those whose incident is gone."""
        asked = [(job, ask) for job, ask in asked if job.incident_id is not None]
        ids = {job.incident_id for job, _ in asked if job.incident_id is not None}
        if not ids:
            return {}
        with reading(self._runtime.engine) as connection:
            rows = notifications.incidents_of(connection, ids)
            # Before what was said: what ends in between is then read, and not taken for one that never was.
            waiting = _waiting(connection, asked)
            channels = {ask.announcement.channel for _, ask in asked}
            said = {channel: notifications.said_of(connection, ids, channel) for channel in channels}
            return {
                job.job_id: _Subject(
                    rows[job.incident_id],
                    notifications.action(connection, ask.action_id) if ask.action_id else None,
                    said[ask.announcement.channel][job.incident_id],
                    job.job_id in waiting,
                )
                for job, ask in asked
                if job.incident_id in rows
            }

    def _supersede(self, job: ClaimedJob, ask: Ask, subject: _Subject, planned: Plan) -> Completion:
        state = NotificationState.SUPERSEDED
        metrics.NOTIFICATIONS.labels(ask.announcement.channel, state.value).inc()
        outcome = Outcome(Verdict.DONE, f"superseded: {planned.reason}")
        return Completion(outcome, self._ended(job, ask, subject, state, planned.reason))

    def _pass_on(self, job: ClaimedJob, ask: Ask, subject: _Subject, planned: Plan) -> Completion:
        notifier = self._runtime.notifiers.get(ask.announcement.channel)
        if notifier is None:
            raise DeliveryFailed(f"the channel {ask.announcement.channel} is not configured on this worker")
        if ask.announcement.template not in notifier.templates:  # it is another kind of channel by now
            unwanted = Plan(Step.SUPERSEDE, "the channel has no use for such a message")
            return self._supersede(job, ask, subject, unwanted)
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
        receipt = notifier.send(
            message_content.notification(
                self._runtime.settings,
                ask,
                subject.incident,
                action=subject.action,
                said=subject.said,
                changes=planned.changes,
                may_have_been_sent=subject.has_heard_of(ask.announcement) or job.attempt > 1,
            )
        )
        state = NotificationState.SENT
        metrics.NOTIFICATIONS.labels(ask.announcement.channel, state.value).inc()
        ended = self._ended(job, ask, subject, state, receipt.detail, receipt.provider_ref)
        return Completion(Outcome(Verdict.DONE, "sent", is_reached=True), ended)

    def _ended(
        self,
        job: ClaimedJob,
        ask: Ask,
        subject: _Subject,
        state: NotificationState,
        detail: str,
        provider_ref: str = "",
    ) -> Ended:
        # What was said, and not what is true by now: the next update counts from here.
        severity, alert_count = subject.situation.severity, subject.situation.alert_count
        at = self._runtime.clock()
        end = MessageEnd(job, ask.announcement, state, severity, alert_count, at, detail, provider_ref)
        is_first = can_share(job, ask, has_died=subject.has_heard_of(ask.announcement))
        return (FirstEnded if is_first else Ended)(self._runtime, ask, end)


def _wait_for_another() -> Completion:
    waiting = "a message that belongs before this one has not ended yet"
    return Completion(Outcome(Verdict.WAIT, waiting, PREDECESSOR_PAUSE_SECONDS))


def _waiting(connection: Connection, asked: Sequence[tuple[ClaimedJob, Ask]]) -> set[int]:
    """The ids of the jobs whose message belongs after another one that has not ended."""
    found, beginnings = set(), {}
    for job, ask in asked:
        assert job.incident_id is not None
        announcement = ask.announcement
        if waits_for_those_under_way(announcement):
            begin = message_keys(job.incident_id, announcement.channel)
            if notifications.is_any_under_way(connection, begin, but=job.idempotency_key):
                found.add(job.job_id)
        elif waits_for_the_beginning(announcement):
            opened = Announcement(announcement.channel, Template.OPENED)
            beginnings[job.job_id] = job_key(job.incident_id, opened)
    unended = notifications.unended(connection, set(beginnings.values()))
    return found | {job_id for job_id, key in beginnings.items() if key in unended}

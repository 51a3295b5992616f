"""The `notify` job: tells one channel, once, about one occasion of an incident, if there is still something to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    plan,
    preconditions,
    predecessors,
)
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import ClaimedJob, JobKind, JobRequest, Outcome, Verdict
from receiver.domain.notification import Notification, NotificationState, Receipt, Template
from receiver.errors import DeliveryFailed
from receiver.notifiers.registry import WANTED
from receiver.runtime import Runtime
from receiver.services.job_handler import Completion
from receiver.storage import events, jobs, notifications
from receiver.storage.engine import reading

ACTOR = "worker"
PREDECESSOR_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Subject:
    """The incident as it was read before sending, and what its channel has heard so far."""

    incident: RowMapping
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
        )


class NotifyHandler:
    """Sends what jobs of kind `notify` ask for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self, job: ClaimedJob) -> Completion:
        """Send the message unless it was sent before, has been overtaken, or has nothing new to say.

        Raises DeliveryFailed.
        """
        announcement = _announcement(job)
        subject = self._read(job, announcement)
        if subject is None:
            return Completion(Outcome(Verdict.DONE, "its incident does not exist any more"))
        if subject.must_wait_for_another:
            waiting = "a message that belongs before this one has not ended yet"
            return Completion(Outcome(Verdict.WAIT, waiting, PREDECESSOR_PAUSE_SECONDS))
        planned = plan(announcement, subject.situation, subject.said)
        match planned.step:
            case Step.SKIP:
                return Completion(Outcome(Verdict.DONE, planned.reason))
            case Step.WAIT:
                interval = self._runtime.settings.update_interval_seconds
                return Completion(Outcome(Verdict.WAIT, planned.reason, interval))
            case Step.SUPERSEDE:
                return self._supersede(job, announcement, subject, planned)
            case Step.SEND:
                return self._send(job, announcement, subject, planned)

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Record that the message was given up, and tell it on the incident's timeline."""
        announcement = _announcement(job)
        locked = notifications.lock_incident(connection, job.incident_id or "")
        if locked is None:
            return
        severity, alert_count = locked
        at = self._runtime.clock()
        notifications.record(
            connection,
            job,
            announcement,
            NotificationState.DEAD,
            severity=severity,
            alert_count=alert_count,
            at=at,
            detail=reason,
        )
        self._tell(connection, EventType.NOTIFICATION_FAILED, job, announcement, reason=reason)
        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.DEAD.value).inc()

    def _read(self, job: ClaimedJob, announcement: Announcement) -> _Subject | None:
        if job.incident_id is None:
            return None
        with reading(self._runtime.engine) as connection:
            incident = notifications.incident(connection, job.incident_id)
            if incident is None:
                return None
            said = notifications.said(connection, job.incident_id, announcement.channel)
            running = [job_key(job.incident_id, one) for one in predecessors(announcement, said)]
            unended = [job_key(job.incident_id, one) for one in preconditions(announcement)]
            must_wait = notifications.is_any_under_way(connection, running) or notifications.is_any_unended(
                connection, unended
            )
            return _Subject(incident, said, must_wait)

    def _supersede(
        self, job: ClaimedJob, announcement: Announcement, subject: _Subject, planned: Plan
    ) -> Completion:
        def write(connection: Connection) -> None:
            self._record(connection, job, announcement, subject, NotificationState.SUPERSEDED, planned.reason)

        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.SUPERSEDED.value).inc()
        return Completion(Outcome(Verdict.DONE, f"superseded: {planned.reason}"), write)

    def _send(
        self, job: ClaimedJob, announcement: Announcement, subject: _Subject, planned: Plan
    ) -> Completion:
        notifier = self._runtime.notifiers.get(announcement.channel)
        if notifier is None:
            raise DeliveryFailed(f"the channel {announcement.channel} is not configured on this worker")
        receipt = notifier.send(self._notification(announcement, subject.incident, planned.changes))
        metrics.NOTIFICATIONS.labels(announcement.channel, NotificationState.SENT.value).inc()
        return Completion(
            Outcome(Verdict.DONE, "sent"),
            lambda connection: self._delivered(connection, job, announcement, subject, receipt),
        )

    def _delivered(
        self,
        connection: Connection,
        job: ClaimedJob,
        announcement: Announcement,
        subject: _Subject,
        receipt: Receipt,
    ) -> None:
        state, reference = NotificationState.SENT, receipt.provider_ref
        self._record(connection, job, announcement, subject, state, receipt.detail, reference)
        following = follow_up(announcement)
        if following is not None and following.template in WANTED[announcement.channel]:
            jobs.insert_once(connection, [self._request(job, following)])
        # Last, because everybody who reports on this incident waits for its lock; before the event, because the lock
        # is what puts the incident's events into the order of their commits.
        notifications.mark_notified(connection, subject.incident["incident_id"], self._runtime.clock())
        self._tell(connection, EventType.NOTIFICATION_DELIVERED, job, announcement, provider_ref=reference)

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

    def _request(self, job: ClaimedJob, following: Announcement) -> JobRequest:
        assert job.incident_id is not None
        return JobRequest(
            kind=JobKind.NOTIFY,
            queue=job.queue,
            idempotency_key=job_key(job.incident_id, following),
            payload=_payload(following),
            incident_id=job.incident_id,
            trace_id=job.trace_id,
            max_attempts=job.max_attempts,
            delay_seconds=self._runtime.settings.update_interval_seconds,
        )

    def _tell(
        self,
        connection: Connection,
        type_: EventType,
        job: ClaimedJob,
        announcement: Announcement,
        **more: str,
    ) -> None:
        told = Event(
            type=type_,
            created_at=self._runtime.clock(),
            actor=ACTOR,
            trace_id=job.trace_id,
            incident_id=job.incident_id,
            payload=_payload(announcement) | {"attempt": job.attempt} | more,
        )
        events.insert_many(connection, [told])

    def _notification(
        self, announcement: Announcement, incident: RowMapping, changes: tuple[str, ...]
    ) -> Notification:
        shown = dict(incident)
        for name in ("acknowledged_by", "resolved_by"):
            shown[name] = shown[name] or ""
        public = self._runtime.settings.public_url
        return Notification(
            template=announcement.template,
            sequence=announcement.sequence,
            changes=changes,
            incident_url=f"{public}/api/v1/incidents/{incident['incident_id']}" if public else "",
            **shown,
        )


def _announcement(job: ClaimedJob) -> Announcement:
    return Announcement(
        job.payload["channel"], Template(job.payload["template"]), int(job.payload["sequence"])
    )


def _payload(announcement: Announcement) -> dict[str, str | int]:
    return {
        "channel": announcement.channel,
        "template": announcement.template.value,
        "sequence": announcement.sequence,
    }

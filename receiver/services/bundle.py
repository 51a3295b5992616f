"""The `notify` job of a bundle: one message that tells a channel of several incidents that began, or ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from receiver import metrics
from receiver.domain.announcement import Announcement, bundle_of_beginning, follow_up, is_unheard_of
from receiver.domain.announcement_request import Ask, told
from receiver.domain.events import Event, EventType
from receiver.domain.incident import is_open
from receiver.domain.jobs import ClaimedJob, JobRequest, Outcome, Verdict
from receiver.domain.notification import NotificationState, Receipt, Template
from receiver.errors import DeliveryFailed, LeaseLost
from receiver.runtime import Runtime
from receiver.services import message_content
from receiver.services.channel_limit import BUNDLE_PAUSE_SECONDS, close_bundle
from receiver.services.effects import tell
from receiver.services.job_handler import Completion
from receiver.services.subjects import subject_of_row
from receiver.storage import bundles, events, jobs, notifications
from receiver.storage.engine import reading

ACTOR = "worker"


@dataclass(frozen=True, slots=True)
class _Contents:
    """The members of a closed bundle: of those in `told` the message tells, those in `moot` it leaves out."""

    told: Sequence[RowMapping]
    moot: Sequence[RowMapping]
    must_wait: bool


class BundleSender:
    """Sends bundles."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @staticmethod
    def owns(job: ClaimedJob) -> bool:
        """Whether the job is about a bundle."""
        return "bundle" in job.payload

    def run(self, job: ClaimedJob) -> Completion:
        """Close the bundle and send one message about all that is in it. Raises DeliveryFailed."""
        channel = job.payload["channel"]
        notifier = self._runtime.notifiers.get(channel)
        if notifier is None:
            raise DeliveryFailed(f"the channel {channel} is not configured on this worker")
        try:
            close_bundle(self._runtime, job, channel, job.payload["bundle"])
        except LeaseLost as lost:
            return Completion(Outcome(Verdict.RETRY, str(lost)))
        contents = self._contents(job)
        if contents.must_wait:
            reason = "the bundle that tells of the beginnings has not ended yet"
            return Completion(Outcome(Verdict.WAIT, reason, BUNDLE_PAUSE_SECONDS))
        if not contents.told:
            return Completion(
                Outcome(Verdict.DONE, "nothing of it is left to tell"),
                lambda connection: self._drop(connection, contents.moot),
            )
        message = message_content.bundle(
            self._runtime.settings,
            job.payload["bundle"],
            Template(job.payload["template"]),
            contents.told,
            may_have_been_sent=job.attempt > 1,
        )
        receipt = notifier.send(message)
        metrics.NOTIFICATIONS.labels(channel, NotificationState.BUNDLED.value).inc(len(contents.told))
        return Completion(
            Outcome(Verdict.DONE, f"sent, about {len(contents.told)} incidents", is_reached=True),
            lambda connection: self._delivered(connection, job, contents, receipt),
        )

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Record for every incident of the bundle that its message was given up, and tell it on its timeline."""
        found = bundles.members(
            connection, job.payload["channel"], job.payload["bundle"], job.payload["since"]
        )
        rows = bundles.lock_incidents(connection, [one["incident_id"] for one in found])
        self._end(connection, found, NotificationState.DEAD, reason)
        failed = self._events(EventType.NOTIFICATION_FAILED, job, found, reason=reason)
        # Rules may have it told elsewhere.
        tell(connection, self._runtime, failed, lambda one: subject_of_row(one, rows[one.incident_id or ""]))
        metrics.NOTIFICATIONS.labels(job.payload["channel"], NotificationState.DEAD.value).inc(len(found))

    def _contents(self, job: ClaimedJob) -> _Contents:
        channel, key = job.payload["channel"], job.payload["bundle"]
        with reading(self._runtime.engine) as connection:
            found = bundles.members(connection, channel, key, job.payload["since"])
            said = notifications.said_of(connection, [one["incident_id"] for one in found], channel)
            if job.payload["template"] == Template.OPENED:
                moot = [one for one in found if not is_open(one["status"])]
                return _Contents([one for one in found if one not in moot], moot, must_wait=False)
            beginnings = {bundle_of_beginning(heard) for heard in said.values()} - {""}
            must_wait = notifications.is_any_unended(connection, beginnings)
            # Again: one that has ended just now may have left some out.
            said = notifications.said_of(connection, list(said), channel)
            moot = [one for one in found if is_unheard_of(said[one["incident_id"]])]
            return _Contents([one for one in found if one not in moot], moot, must_wait)

    def _delivered(
        self, connection: Connection, job: ClaimedJob, contents: _Contents, receipt: Receipt
    ) -> None:
        self._drop(connection, contents.moot)
        ids = [one["incident_id"] for one in contents.told]
        # Their own ends, should they have died before and been tried again.
        self._end(connection, contents.told, NotificationState.BUNDLED, receipt.detail or "sent")
        jobs.insert_once(connection, self._follow_ups(connection, job, contents.told))
        bundles.lock_incidents(connection, ids)
        notifications.mark_all_notified(connection, ids, self._runtime.clock())
        reference = receipt.provider_ref
        delivered = self._events(EventType.NOTIFICATION_DELIVERED, job, contents.told, provider_ref=reference)
        events.insert_many(connection, delivered)

    def _follow_ups(
        self, connection: Connection, job: ClaimedJob, members: Sequence[RowMapping]
    ) -> list[JobRequest]:
        notifier = self._runtime.notifiers[job.payload["channel"]]
        following = follow_up(_announcement(job))
        if following is None or following.template not in notifier.templates:
            return []
        asked = bundles.asked_by(connection, [one["job_id"] for one in members])
        found = []
        for one in members:
            payload, trace_id = asked.get(one["job_id"], (None, job.trace_id))
            ask = Ask.from_payload(payload) if payload else None
            if ask is None or ask.is_quiet:
                continue
            found.append(
                Ask(following, rule=ask.rule).request(
                    one["incident_id"],
                    trace_id,
                    delay_seconds=self._runtime.settings.update_interval_seconds,
                    max_attempts=job.max_attempts,
                )
            )
        return found

    def _drop(self, connection: Connection, members: Sequence[RowMapping]) -> None:
        self._end(connection, members, NotificationState.SUPERSEDED, "it was over before its bundle was sent")

    def _end(
        self, connection: Connection, members: Sequence[RowMapping], state: NotificationState, detail: str
    ) -> None:
        ids = [one["notification_id"] for one in members]
        bundles.end(connection, ids, state, detail, self._runtime.clock())

    def _events(
        self, type_: EventType, job: ClaimedJob, members: Sequence[RowMapping], **more: Any
    ) -> list[Event]:
        payload = told(_announcement(job)) | {"attempt": job.attempt, "bundle": job.payload["bundle"]} | more
        at = self._runtime.clock()
        return [
            Event(
                type=type_,
                created_at=at,
                actor=ACTOR,
                trace_id=job.trace_id,
                incident_id=one["incident_id"],
                payload=payload,
            )
            for one in members
        ]


def _announcement(job: ClaimedJob) -> Announcement:
    return Announcement(job.payload["channel"], Template(job.payload["template"]))

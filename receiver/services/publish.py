"""The handler of `publish` jobs: relays events to the broker, at least once and in order within each incident.

One standing job does it. Its lease lets one worker relay at a time, which spares work; the promises do not hang on it.
An event goes out only after the one before it in its incident has been acknowledged, to this relay or to an earlier
one that has marked it. So the first copy of each event arrives in order whoever else still sends, and all further
copies carry the same message id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from receiver import metrics
from receiver.brokers.base import Broker
from receiver.domain.jobs import ClaimedJob, JobKind, JobRequest, Outcome, Verdict
from receiver.domain.outgoing import HeldLanes, OutgoingEvent, PublishReport, message_of
from receiver.domain.retry import Backoff
from receiver.errors import DeliveryFailed
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services.job_handler import Completion
from receiver.services.transaction import transact
from receiver.storage import jobs, outbox
from receiver.storage.engine import reading

_log = event_logger("publish")

STANDING_JOB = JobRequest(
    JobKind.PUBLISH,
    JobKind.PUBLISH.value,
    "publish:standing",
    # It never ends, and every worker that dies with it counts as an attempt.
    max_attempts=2_000_000_000,
)
BATCH = 500
# One attempt is short against a worker's time to drain, and long against the pause before the next one.
ATTEMPT_SECONDS = 8.0
IDLE_SECONDS = 1.0
NO_BROKER_SECONDS = 60.0
# Transactions are over in seconds (their timeouts see to it): what is older than this is committed, or never will be.
SETTLED_SECONDS = 60.0
# More lanes held back than this, and it is the broker that fails, not single messages.
MOST_HELD = 200
BROKER_BACKOFF = Backoff(base_seconds=1.0, cap_seconds=30.0)
LANE_BACKOFF = Backoff(base_seconds=4.0, cap_seconds=300.0)


def stand_by(runtime: Runtime) -> None:
    """See to it that the standing job exists and runs, if there is a broker; any number of workers may do this at once.

    Raises what the database raises.
    """
    if runtime.broker is not None:
        transact(runtime.engine, lambda connection, _: _stand_by(connection, runtime))


def _stand_by(connection: Connection, runtime: Runtime) -> None:
    if outbox.start_mark(connection) is None:
        # Not all of the past goes out to a new broker. Ids commit out of order, so it is not "the highest id now".
        settled = runtime.clock() - timedelta(seconds=SETTLED_SECONDS)
        outbox.set_start_mark(connection, outbox.newest_before(connection, settled))
    jobs.insert_once(connection, [STANDING_JOB])
    jobs.revive_key(connection, STANDING_JOB.idempotency_key)


class PublishHandler:
    """Publishes what the outbox holds (services.job_handler.Handler)."""

    def __init__(self, runtime: Runtime) -> None:
        self._engine = runtime.engine
        self._broker = runtime.broker
        self._held = HeldLanes(LANE_BACKOFF)
        self._truncated: set[int] = set()  # too large for the broker as they are
        self._failures = 0  # attempts in a row in which nothing got through

    def run(self, job: ClaimedJob) -> Completion:
        """Relay for some seconds, or until nothing is left. Never raises DeliveryFailed: this job has no end."""
        if self._broker is None:
            return _wait("no broker is set up here", NO_BROKER_SECONDS)
        until = time.monotonic() + ATTEMPT_SECONDS
        try:
            while time.monotonic() < until:
                if not self._relay(self._broker):
                    return _wait("nothing is left to publish", IDLE_SECONDS)
        except DeliveryFailed as failure:
            self._failures += 1
            pause = IDLE_SECONDS + BROKER_BACKOFF.delay_seconds(self._failures)
            return Completion(Outcome(Verdict.RETRY, failure.reason, pause))
        return _wait("there is more to publish", 0.0)

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Nothing to add: the next worker that starts revives the job."""

    def _relay(self, broker: Broker) -> bool:
        """Publish one batch; whether there may be more to do now. Raises DeliveryFailed if nothing got through."""
        batch = self._next()
        if not batch:
            return False
        report = broker.publish([message_of(one, truncated=one.event_id in self._truncated) for one in batch])
        transact(self._engine, lambda connection, _: outbox.mark_published(connection, report.acknowledged))
        return self._note(batch, report) or len(batch) == BATCH

    def _next(self) -> list[OutgoingEvent]:
        closed = self._held.closed(time.monotonic())
        with reading(self._engine) as connection:
            mark = outbox.start_mark(connection)
            if mark is None:  # an operator has removed it, to begin anew
                return []
            return outbox.unpublished(
                connection,
                mark,
                BATCH,
                without_incidents=[lane for lane in closed if isinstance(lane, str)],
                without_events=[lane for lane in closed if isinstance(lane, int)],
            )

    def _note(self, batch: Sequence[OutgoingEvent], report: PublishReport) -> bool:
        """Count and remember what became of the batch; whether some of it can go out at once in another form.

        Raises DeliveryFailed where it is the broker that fails, and not single messages.
        """
        by_id = {event.event_id: event for event in batch}
        self._count(report)
        hopeless = report.too_large & self._truncated
        failures = report.failures | dict.fromkeys(hopeless, "even without its payload it is too large")
        self._truncated = (self._truncated | report.too_large).difference(report.acknowledged, hopeless)
        self._held.release(by_id[event_id].lane for event_id in report.acknowledged)
        self._hold(
            {by_id[event_id]: reason for event_id, reason in failures.items()}, bool(report.acknowledged)
        )
        self._failures = 0
        return len(report.too_large) > len(hopeless)

    def _hold(self, failures: Mapping[OutgoingEvent, str], is_broker_well: bool) -> None:
        for event, reason in failures.items():
            # Where nothing got through, only what has failed before while others got through can be to blame itself.
            if not is_broker_well and event.lane not in self._held:
                raise DeliveryFailed(reason)
            facts = {"event_id": event.event_id, "type": event.type, "incident_id": event.incident_id}
            _log.warning("event.held_back", extra=facts | {"reason": reason})
            self._held.hold(event.lane, time.monotonic())
        if len(self._held) > MOST_HELD:
            self._held.clear()
            raise DeliveryFailed(
                f"events of more than {MOST_HELD} incidents fail: {next(iter(failures.values()))}"
            )

    def _count(self, report: PublishReport) -> None:
        truncated = len(self._truncated.intersection(report.acknowledged))
        for outcome, number in (
            ("published", len(report.acknowledged) - truncated),
            ("truncated", truncated),
            ("failed", len(report.failures)),
        ):
            metrics.EVENTS_PUBLISHED.labels(outcome).inc(number)


def _wait(reason: str, seconds: float) -> Completion:
    return Completion(Outcome(Verdict.WAIT, reason, seconds))

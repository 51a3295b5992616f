"""What `receiver db restored` does: follow-up work that may have been done since the backup is left to people.

Rules are not asked: nothing that happened here is news of today, and a rule might have something done about it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine

from receiver.clock import isoformat
from receiver.domain.action_state import ActionState, ApprovalState
from receiver.domain.announcement_request import Ask
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import ClaimedJob, JobKind, JobState
from receiver.domain.notification import NotificationState
from receiver.domain.remediation import may_become, mitigation_after
from receiver.ids import new_trace_id
from receiver.services.bundle import BundleSender
from receiver.services.remediation.facts import told
from receiver.services.rollup import STANDING_JOB as ROLLUP_JOB
from receiver.services.transaction import transact
from receiver.storage import (
    approvals,
    audit,
    controls,
    database_clock,
    events,
    incident_changes,
    notifications,
    remediation,
    restored,
)
from receiver.storage.engine import reading
from receiver.storage.notifications import MessageEnd

ACTOR = "receiver db restored"
CONTROL = "restored"
_AT_ONCE = 100
# The roll-ups' job rests for ten seconds; what a dead worker left behind is taken over within 6, after an outage of the
# database within 16.
_WATCH_SECONDS, _REAPED_SECONDS = 15.0, 20.0
_SLOW_SECONDS, _LOOK_SECONDS = 2.0, 0.2  # so long a worker on a busy machine may take longer
# More events than anybody loses with the hours since a backup.
_EVENT_IDS = 1_000_000
_WAITED = (
    "it was still to be done when the backup was made that this database was restored from, and may have been done "
    "since: `receiver jobs retry` has it done"
)
_ENDS: Mapping[ActionState, tuple[ActionState, str, str]] = {
    ActionState.REQUESTED: (ActionState.EXPIRED, "expired", "it had not begun, and may have run since"),
    ActionState.AWAITING_APPROVAL: (
        ActionState.EXPIRED,
        "expired",
        "it waited for approval, and may have run since",
    ),
    ActionState.RUNNING: (ActionState.UNKNOWN, "unknown", "it had begun, and nobody can tell how it ended"),
    ActionState.VERIFYING: (ActionState.FAILED, "unverified", "it was carried out, but not checked"),
}


@dataclass(slots=True)
class Restored:
    """What was done: jobs put aside by queue, actions by the state they are in now, the incidents concerned."""

    jobs: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    incidents: set[str] = field(default_factory=set)

    @property
    def is_nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.jobs or self.actions)


def running_worker(engine: Engine, poll_seconds: float) -> str | None:
    """The name of a worker that is at work on this database; None if none shows itself within some seconds.

    The roll-ups' standing job tells: a worker takes it every few seconds, `poll_seconds` after it is due at the latest.
    In a backup of an hour ago it is overdue and nobody takes it, which one look shows. Raises what the database raises.
    """
    until = time.monotonic() + _WATCH_SECONDS
    first: restored.Pulse | None = None
    while True:
        with reading(engine) as connection:
            now, seen = restored.pulse(connection, ROLLUP_JOB.idempotency_key)
        if first is not None and seen != first:
            return (seen or first).worker or "of another release"
        if seen is None or _is_left_alone(seen, now, poll_seconds) or time.monotonic() > until:
            return None
        first = seen
        time.sleep(_LOOK_SECONDS)


def _is_left_alone(seen: restored.Pulse, now: datetime, poll_seconds: float) -> bool:
    if seen.state is JobState.RUNNING:
        return seen.lease_until is None or seen.lease_until < now - timedelta(seconds=_REAPED_SECONDS)
    return seen.run_at < now - timedelta(seconds=poll_seconds + _SLOW_SECONDS)


def settle_restored(engine: Engine, before: datetime | None = None) -> Restored:
    """End actions and put aside jobs of the time before `before` (now, by the database's clock).

    Repeating it does nothing more. Killed anywhere, it is to be run again. Raises StorageUnavailable.
    """
    done = Restored()
    with reading(engine) as connection:
        moment = before or database_clock.now(connection)
        action_ids = restored.actions_under_way(connection, moment)
    for action_id in action_ids:
        ended = transact(engine, partial(_end, action_id))
        if ended is not None:
            done.actions[ended[0].value] += 1
            done.incidents.add(ended[1])
    while True:
        aside = transact(engine, partial(_put_aside, moment))
        if not aside:
            break
        done.jobs.update(queue for queue, _ in aside)
        done.incidents.update(incident_id for _, incident_id in aside if incident_id)
    transact(engine, partial(_note, done))
    return done


def _end(action_id: str, connection: Connection, attempt: int) -> tuple[ActionState, str] | None:
    """End an action that was under way (invariant I5: what may have run is not run again); its state and incident."""
    found = remediation.find(connection, action_id)
    incident = incident_changes.find_and_lock(connection, found["incident_id"]) if found else None
    if incident is None:
        return None
    row = remediation.lock(connection, action_id)
    before = ActionState(row["state"])
    if before not in _ENDS:  # an earlier COMMIT went through
        return None
    state, outcome, why = _ENDS[before]
    assert may_become(before, state), f"{before} to {state}"
    now = database_clock.now(connection)
    reason = f"{why}: the database was restored from a backup of that time"
    if before is ActionState.AWAITING_APPROVAL:
        approvals.decide(connection, action_id, ApprovalState.EXPIRED, now)
    remediation.change(
        connection,
        action_id,
        {"state": state.value, "error": reason, "finished_at": now, "lease_token": None},  # nosec B105
    )
    payload = told(row) | {"outcome": outcome, "reason": reason}
    others = remediation.is_any_other_under_way(connection, row)
    after = mitigation_after(incident["mitigation"], state, others_under_way=others)
    if after is not None:
        incident_changes.change(connection, row["incident_id"], {"mitigation": after.value})
        payload["mitigation"] = [incident["mitigation"], after.value]
    kind = EventType.ACTION_REJECTED if state is ActionState.EXPIRED else EventType.ACTION_FAILED
    event = Event(kind, now, ACTOR, row["trace_id"], row["incident_id"], action_id=action_id, payload=payload)
    events.insert_many(connection, [event])
    return state, row["incident_id"]


def _put_aside(before: datetime, connection: Connection, attempt: int) -> list[tuple[str, str | None]]:
    """Make dead letters of some jobs; of each its queue and incident."""
    found = restored.live_jobs(connection, before, _AT_ONCE)
    for incident_id, of_it in groupby(found, key=lambda row: row["incident_id"]):
        incident = incident_changes.find_and_lock(connection, incident_id)
        if incident is not None:
            _tell(connection, incident, list(of_it))
    restored.put_aside(connection, [row["job_id"] for row in found], _WAITED)
    return [(row["queue"], row["incident_id"]) for row in found]


def _tell(connection: Connection, incident: Mapping[Any, Any], of_it: Sequence[Mapping[Any, Any]]) -> None:
    now = database_clock.now(connection)
    for row in of_it:
        if row["kind"] == JobKind.NOTIFY:
            _bury(connection, incident, row, now)
    payload = {
        "note": "The database was restored from a backup. Follow-up work that was still to be done then may have "
        "been done since; it waits for `receiver jobs retry`.",
        "put_aside": [{"job_id": row["job_id"], "queue": row["queue"]} for row in of_it],
    }
    event = Event(
        EventType.INCIDENT_UPDATED,
        now,
        ACTOR,
        new_trace_id(),
        incident_id=incident["incident_id"],
        payload=payload,
    )
    events.insert_many(connection, [event])


def _bury(connection: Connection, incident: Mapping[Any, Any], row: Mapping[Any, Any], now: datetime) -> None:
    """Record the message as dead: a retry then looks whether the channel has it, where that can be asked."""
    names = ClaimedJob.__dataclass_fields__.keys() - {"lease_token"}
    job = ClaimedJob(**{name: row[name] for name in names}, lease_token=row["lease_token"] or "")
    if BundleSender.owns(job):
        return
    announcement = Ask.from_payload(job.payload).announcement
    said = notifications.said(connection, incident["incident_id"], announcement.channel)
    if any((one.template, one.sequence) == (announcement.template, announcement.sequence) for one in said):
        return
    end = MessageEnd(
        job,
        announcement,
        NotificationState.DEAD,
        severity=incident["severity"],
        alert_count=incident["alert_count"],
        at=now,
        detail=_WAITED,
    )
    notifications.record(connection, end)


def _note(done: Restored, connection: Connection, attempt: int) -> None:
    restored.give_back(connection)
    # Also if it seems to have been run before: the backup may be of a database that had been restored.
    restored.skip_event_ids(connection, _EVENT_IDS)
    if done.is_nothing and controls.find(connection, CONTROL) is not None:
        return
    now = database_clock.now(connection)
    detail = {"jobs": dict(done.jobs), "actions": dict(done.actions), "incidents": len(done.incidents)}
    controls.put(connection, CONTROL, {"at": isoformat(now), **detail}, ACTOR, now)
    audit.write(
        connection,
        actor=ACTOR,
        action="database.restored",
        target="jobs",
        at=now,
        trace_id=new_trace_id(),
        detail=detail,
    )

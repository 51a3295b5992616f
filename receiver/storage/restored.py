"""What a restored database holds that was under way when its backup was made: jobs, and remediation actions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, null, select, update

from receiver.domain.jobs import JobState
from receiver.domain.remediation import UNDER_WAY
from receiver.ids import new_trace_id
from receiver.storage import database_clock
from receiver.storage.engine import is_mysql
from receiver.storage.tables import events, jobs, remediation_actions
from receiver.storage.text import fit
from receiver.storage.types import DatabaseNow

_LIVE = (JobState.READY.value, JobState.RUNNING.value)
# Jobs that workers make anew at their start and that look at what is there: they can do nothing twice.
_STANDING = "%:standing"


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a standing job stands, by the database's clock. Whatever changes of it, a worker has changed."""

    state: JobState
    worker: str | None
    run_at: datetime
    lease_until: datetime | None
    lease_token: str | None


def pulse(connection: Connection, key: str) -> tuple[datetime, Pulse | None]:
    """What time it is, and how the job with this idempotency key stands; None if there is none."""
    own = jobs.c
    query = select(own.state, own.worker, own.run_at, own.lease_until, own.lease_token)
    found = connection.execute(query.where(own.idempotency_key == key)).mappings().first()
    return database_clock.now(connection), Pulse(**found) if found else None


def live_jobs(connection: Connection, before: datetime, limit: int) -> list[RowMapping]:
    """Up to `limit` jobs made before then that are still to be done, those of one incident together, locked."""
    own = jobs.c
    query = (
        select(jobs)
        .where(own.state.in_(_LIVE), own.created_at <= before, own.idempotency_key.not_like(_STANDING))
        .order_by(own.incident_id, own.job_id)
        .limit(limit)
        .with_for_update()
    )
    return list(connection.execute(query).mappings())


def put_aside(connection: Connection, job_ids: Collection[int], reason: str) -> None:
    """Make dead letters of these jobs: only people have them done."""
    values = {
        "state": JobState.DEAD.value,
        "lease_until": null(),
        "lease_token": null(),
        "finished_at": DatabaseNow(),
        "last_error": fit(reason, 1000),
    }
    connection.execute(update(jobs).where(jobs.c.job_id.in_(sorted(job_ids))).values(values))


def give_back(connection: Connection) -> None:
    """End the leases of standing jobs: the workers that had them are of another time."""
    values = {"state": JobState.READY.value, "lease_until": null(), "lease_token": null()}
    own = jobs.c
    running = (own.state == JobState.RUNNING.value, own.idempotency_key.like(_STANDING))
    connection.execute(update(jobs).where(*running).values(values))


def actions_under_way(connection: Connection, before: datetime) -> Sequence[str]:
    """The ids of remediation actions asked for before then that have not ended."""
    own = remediation_actions.c
    query = select(own.action_id).where(
        own.state.in_([state.value for state in UNDER_WAY]), own.requested_at <= before
    )
    return connection.execute(query.order_by(own.incident_id, own.ordinal)).scalars().all()


def skip_event_ids(connection: Connection, number: int) -> None:
    """Leave out so many event ids, where the database hands them out for good (MySQL, MariaDB).

    Brokers and consumers may know the next ones already, as those of events that the restore has undone.
    """
    if not is_mysql(connection):
        return
    values = {
        "type": "incident.updated",
        "actor": "restore",
        "trace_id": new_trace_id(),
        "payload": {},
        "created_at": database_clock.now(connection),
    }
    # From the counter on, not from the newest row: a dump holds the counter, which an earlier restore may have raised.
    next_id = connection.execute(insert(events).values(values)).lastrowid
    # It stays raised, also when the rows go again.
    connection.execute(insert(events).values(values | {"event_id": next_id + number}))
    connection.execute(delete(events).where(events.c.event_id.in_((next_id, next_id + number))))

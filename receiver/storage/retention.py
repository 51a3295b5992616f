"""What retention looks for and removes: each function looks at a bounded stretch of one index, and at no whole table.

The caller opens one short transaction for each. Whoever removes alerts has locked them or their incident first, so
that of two who clean at once only one counts a row as pruned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, and_, delete, exists, func, or_, select, update

from receiver.domain.incident import OPEN_STATUSES, Status
from receiver.domain.jobs import JobState
from receiver.ids import first_ulid
from receiver.storage import outbox, report_days
from receiver.storage.engine import is_mysql
from receiver.storage.tables import (
    alert_episodes,
    approvals,
    controls,
    deliveries,
    events,
    grafana_alerts,
    incidents,
    jobs,
    notifications,
    remediation_actions,
)

HOLD = "hold:"
OVER = (Status.RESOLVED.value, Status.CLOSED.value)
ENDED = (JobState.DONE, JobState.DEAD, JobState.UNKNOWN)
# What belongs to one incident, beside the approvals of its actions.
CHILDREN = (grafana_alerts, remediation_actions, notifications, alert_episodes, events)
_ended_at = func.coalesce(incidents.c.closed_at, incidents.c.resolved_at)


@dataclass(frozen=True, slots=True)
class Removal:
    """What one batch did: rows by table, and whether the incidents are gone, as far as they may go."""

    rows: Counter[str]
    is_complete: bool = True


def empty_bodies(connection: Connection, ids: Sequence[str]) -> int:
    """Empty the bodies of these deliveries; their length stays in body_bytes. Returns how many had one."""
    ids = sorted(set(ids) - _needed(connection, ids))
    full = and_(deliveries.c.delivery_id.in_(ids), deliveries.c.body != b"")
    return connection.execute(update(deliveries).where(full).values(body=b"")).rowcount if ids else 0


def bodies_of(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those of these deliveries that have a body which may go."""
    going = sorted(set(ids) - _needed(connection, ids))
    full = and_(deliveries.c.delivery_id.in_(going), deliveries.c.body != b"")
    query = select(deliveries.c.delivery_id).where(full).order_by(deliveries.c.delivery_id)
    return list(connection.execute(query).scalars()) if going else []


def _needed(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these deliveries that brought alerts of an incident which is open or held: they stay as they came."""
    own = grafana_alerts.c
    query = (
        select(own.delivery_id, own.incident_id, incidents.c.status)
        .distinct()
        .join(incidents, incidents.c.incident_id == own.incident_id)
        .where(own.delivery_id.in_(ids))
    )
    found = connection.execute(query).all()
    names = {HOLD + one.incident_id for one in found}
    held = set(connection.execute(select(controls.c.name).where(controls.c.name.in_(names))).scalars())
    return {one.delivery_id for one in found if one.status in OPEN_STATUSES or HOLD + one.incident_id in held}


def loose_alerts(
    connection: Connection, after: str, moment: datetime, limit: int
) -> tuple[str | None, list[str]]:
    """Of the next `limit` alerts above `after` made before `moment`: the last one's id, and those of no incident."""
    own = grafana_alerts.c
    query = (
        select(own.alert_id, own.incident_id, own.received_at)
        .where(own.alert_id > after, own.alert_id < first_ulid(moment))
        .order_by(own.alert_id)
        .limit(limit)
    )
    found = connection.execute(query).all()
    loose = [one.alert_id for one in found if one.incident_id is None and one.received_at < moment]
    return (found[-1].alert_id if found else None), loose


def remove_alerts(connection: Connection, ids: Sequence[str]) -> int:
    """Remove these alerts and book them as pruned with their deliveries (I4) and incidents (I3); how many."""
    own = grafana_alerts.c
    if not ids:
        return 0
    query = select(own.alert_id, own.delivery_id, own.incident_id).where(own.alert_id.in_(sorted(ids)))
    found = connection.execute(query.order_by(own.alert_id).with_for_update()).all()
    if not found:
        return 0
    going = [one.alert_id for one in found]
    with _life_time_counts(connection):
        connection.execute(delete(grafana_alerts).where(own.alert_id.in_(going)))
    if not is_mysql(connection):  # its trigger has lowered the count: sql/sqlite/triggers.sql
        for number, of_these in _alike(one.incident_id for one in found if one.incident_id):
            values = {
                "alert_count": incidents.c.alert_count + number,
                "alerts_pruned": incidents.c.alerts_pruned + number,
            }
            connection.execute(update(incidents).where(incidents.c.incident_id.in_(of_these)).values(values))
    for number, of_these in _alike(one.delivery_id for one in found):
        pruned = deliveries.c.alerts_pruned + number
        mine = deliveries.c.delivery_id.in_(of_these)
        connection.execute(update(deliveries).where(mine).values(alerts_pruned=pruned))
    return len(going)


def _alike(ids: Iterable[str]) -> list[tuple[int, list[str]]]:
    """The ids by how often they come: one statement for each number, instead of one for each id."""
    by_number: defaultdict[int, list[str]] = defaultdict(list)
    for one, number in sorted(Counter(ids).items()):
        by_number[number].append(one)
    return sorted(by_number.items())


def deliveries_before(connection: Connection, after: str, moment: datetime, limit: int) -> list[str]:
    """The ids of the next deliveries above `after` that came before `moment`."""
    own = deliveries.c
    query = (
        select(own.delivery_id)
        .where(own.delivery_id > after, own.delivery_id < first_ulid(moment))
        .order_by(own.delivery_id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def remove_deliveries(connection: Connection, ids: Sequence[str]) -> int:
    """Remove those of these deliveries that have no alert left; how many."""
    alert = exists().where(grafana_alerts.c.delivery_id == deliveries.c.delivery_id)
    query = select(deliveries.c.delivery_id).where(deliveries.c.delivery_id.in_(sorted(ids)), ~alert)
    going = list(connection.execute(query.order_by(deliveries.c.delivery_id)).scalars()) if ids else []
    return delete_rows(connection, deliveries, going)


def deliveries_going(
    connection: Connection,
    ids: Sequence[str],
    alerts_before: datetime,
    incidents_before: datetime,
    *,
    has_broker: bool,
) -> list[str]:
    """Those of these deliveries that go once all alerts and incidents that may go are gone, in their order."""
    own = grafana_alerts.c
    query = (
        select(
            own.delivery_id, own.incident_id, own.received_at, incidents.c.status, _ended_at.label("ended_at")
        )
        .outerjoin(incidents, incidents.c.incident_id == own.incident_id)
        .where(own.delivery_id.in_(ids))
    )
    found = connection.execute(query).all() if ids else []
    over = {
        one.incident_id
        for one in found
        if one.status in OVER and one.ended_at is not None and one.ended_at < incidents_before
    }
    over -= _kept(connection, over, outbox.start_mark(connection) if has_broker else None)
    staying = {
        one.delivery_id
        for one in found
        if (one.incident_id not in over if one.incident_id else one.received_at >= alerts_before)
    }
    return [one for one in ids if one not in staying]


def incidents_before(
    connection: Connection, status: str, after: tuple[datetime, str] | None, moment: datetime, limit: int
) -> tuple[tuple[datetime, str] | None, list[str]]:
    """Of the next `limit` incidents in `status` that opened before `moment`: the place of the last one, and the ids of
    those that were over by then and may go."""
    own = incidents.c
    query = (
        select(own.incident_id, own.opened_at, _ended_at.label("ended_at"))
        .where(own.status == status, own.opened_at < moment)
        .order_by(own.opened_at, own.incident_id)
        .limit(limit)
    )
    if after is not None:
        later = or_(own.opened_at > after[0], own.incident_id > after[1])
        query = query.where(own.opened_at >= after[0], later)
    found = connection.execute(_along(query, incidents, "idx_incidents_status_opened")).all()
    ended = [one.incident_id for one in found if one.ended_at is not None and one.ended_at < moment]
    place = (found[-1].opened_at, found[-1].incident_id) if found else None
    return place, sorted(set(ended) - _kept(connection, ended))


def _kept(connection: Connection, ids: Collection[str], mark: int | None = None) -> set[str]:
    """Those of these incidents that somebody holds, that have work to do, or that the broker has not heard all of."""
    if not ids:
        return set()
    names = [HOLD + one for one in ids]
    held = connection.execute(select(controls.c.name).where(controls.c.name.in_(names))).scalars()
    live = select(jobs.c.incident_id).where(
        jobs.c.state.in_((JobState.READY.value, JobState.RUNNING.value)), jobs.c.incident_id.in_(ids)
    )
    live = _along(live, jobs, "idx_jobs_incident")
    kept = {name.removeprefix(HOLD) for name in held} | set(connection.execute(live).scalars())
    if mark is not None:
        waiting = (
            select(events.c.incident_id)
            .distinct()
            .where(events.c.incident_id.in_(ids), events.c.event_id > mark, events.c.published_at.is_(None))
        )
        kept |= set(connection.execute(waiting).scalars())
    return kept


def lock_over(
    connection: Connection, ids: Collection[str], moment: datetime, *, has_broker: bool
) -> list[Mapping[Any, Any]]:
    """Those of these incidents that were over before `moment` and may go, whole rows, locked.

    They are looked at again under the lock: somebody may hold one by now, or be at it as well.
    """
    if not ids:
        return []
    query = select(*columns_of(incidents)).where(
        incidents.c.incident_id.in_(sorted(ids)), incidents.c.status.in_(OVER), _ended_at < moment
    )
    mark = outbox.start_mark(connection) if has_broker else None
    found = connection.execute(query.order_by(incidents.c.incident_id).with_for_update()).mappings().all()
    kept = _kept(connection, [one["incident_id"] for one in found], mark)
    return [one for one in found if one["incident_id"] not in kept]


def remove_incidents(
    connection: Connection, ids: Sequence[str], moment: datetime, limit: int, *, has_broker: bool
) -> Removal:
    """Remove up to `limit` rows of each kind of these incidents, and themselves once they have none left."""
    going = [one["incident_id"] for one in lock_over(connection, ids, moment, has_broker=has_broker)]
    rows: Counter[str] = Counter()
    if not going:
        return Removal(rows)
    rows["grafana_alerts"] = remove_alerts(connection, _keys_of(connection, grafana_alerts, going, limit))
    actions = _keys_of(connection, remediation_actions, going, limit)
    found = select(approvals.c.approval_id).where(approvals.c.action_id.in_(actions))
    if actions:
        rows["approvals"] = delete_rows(connection, approvals, connection.execute(found).scalars().all())
    rows["remediation_actions"] = delete_rows(connection, remediation_actions, actions)
    messages = _keys_of(connection, notifications, going, limit)
    ended = select(notifications.c.finished_at).where(notifications.c.notification_id.in_(messages))
    report_days.doubt(connection, report_days.MESSAGES, connection.execute(ended).scalars())
    rows["notifications"] = delete_rows(connection, notifications, messages)
    for table in (alert_episodes, events):
        rows[table.name] = delete_rows(connection, table, _keys_of(connection, table, going, limit))
    if any(number >= limit for number in rows.values()):
        return Removal(rows, is_complete=False)
    rows["incidents"] = delete_rows(connection, incidents, going)
    return Removal(rows)


def without_children(connection: Connection, ids: Collection[str]) -> list[str]:
    """Those of these incidents of which no other row is left."""
    left = set(ids)
    for table in CHILDREN:
        found = select(table.c.incident_id).where(table.c.incident_id.in_(sorted(left))).distinct()
        if left:
            left -= set(connection.execute(found).scalars())
    return sorted(left)


def _keys_of(connection: Connection, table: Table, ids: Sequence[str], limit: int) -> list[Any]:
    key = key_of(table)
    # In the order of the index on incident_id, of which each stretch is read once.
    query = select(key).where(table.c.incident_id.in_(ids)).limit(limit)
    return list(connection.execute(query).scalars())


def delete_rows(connection: Connection, table: Table, keys: Collection[Any]) -> int:
    """Remove the rows with these primary keys; how many there were."""
    if not keys:
        return 0
    return connection.execute(delete(table).where(key_of(table).in_(sorted(keys)))).rowcount


def key_of(table: Table) -> Column[Any]:
    """The one column of the table's primary key."""
    (key,) = table.primary_key.columns
    return key


def columns_of(table: Table) -> list[Column[Any]]:
    """All columns but the generated one, and the one that means something only while a row is inserted."""
    return [column for column in table.c if column.computed is None and column.name != "counts_for"]


def finished_jobs(
    connection: Connection,
    queue: str,
    state: JobState,
    after: tuple[datetime, int] | None,
    moment: datetime,
    limit: int,
) -> tuple[tuple[datetime, int] | None, list[int]]:
    """Of the next `limit` jobs of the queue in `state`: the place of the last one, and those that may go.

    Done ones go when they ended before `moment` and their incident is not open; others when their incident is gone.
    """
    own = jobs.c
    query = (
        select(own.job_id, own.run_at, own.finished_at, own.incident_id, incidents.c.status)
        .select_from(jobs.outerjoin(incidents, incidents.c.incident_id == own.incident_id))
        .where(own.queue == queue, own.state == state.value, own.run_at < moment)
        .order_by(own.run_at, own.job_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(own.run_at >= after[0], or_(own.run_at > after[0], own.job_id > after[1]))
    found = connection.execute(_along(query, jobs, "idx_jobs_claim")).all()
    place = (found[-1].run_at, found[-1].job_id) if found else None
    if state is JobState.DONE:
        going = [one.job_id for one in found if one.finished_at < moment and one.status not in OPEN_STATUSES]
    else:
        going = [one.job_id for one in found if one.incident_id is not None and one.status is None]
    return place, going


def _along(statement: Select[Any], table: Table, index: str) -> Select[Any]:
    # The optimizer would sooner read and sort the whole table while most of it may go, and do so for each stretch.
    hint = f"FORCE INDEX ({index})"
    return statement.with_hint(table, hint, "mysql").with_hint(table, hint, "mariadb")


def remove_jobs(connection: Connection, ids: Sequence[int], state: JobState) -> int:
    """Remove those of these jobs that are still in `state`; how many."""
    query = select(jobs.c.job_id).where(jobs.c.job_id.in_(sorted(ids)), jobs.c.state == state.value)
    still = list(connection.execute(query.order_by(jobs.c.job_id).with_for_update()).scalars()) if ids else []
    return delete_rows(connection, jobs, still)


def queues(connection: Connection) -> list[str]:
    """Every queue that has a job."""
    return sorted(connection.execute(select(jobs.c.queue).distinct()).scalars())


@contextmanager
def _life_time_counts(connection: Connection) -> Iterator[None]:
    """Within this, the trigger books deleted alerts as pruned. Its mark is the session's: it must not stay behind."""
    if not is_mysql(connection):
        yield
        return
    connection.exec_driver_sql("SET @receiver_retention = 1")
    try:
        yield
    finally:
        connection.exec_driver_sql("SET @receiver_retention = NULL")


def release(connection: Connection, incident_id: str) -> bool:
    """Remove the hold of this incident; whether there was one."""
    return connection.execute(delete(controls).where(controls.c.name == HOLD + incident_id)).rowcount > 0

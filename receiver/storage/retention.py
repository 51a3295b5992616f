"""What retention looks for and removes: each function looks at a bounded stretch of one index, and at no whole table.

The caller opens one short transaction for each. Whoever removes alerts has locked them or their incident first, so
that of two who clean at once only one counts a row as pruned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, exists, func, or_, select, update

from receiver.domain.incident import OPEN_STATUSES, Status
from receiver.domain.jobs import JobState
from receiver.ids import first_ulid
from receiver.storage import outbox
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

# Told of rows before they go, in the transaction in which they go.
Keep = Callable[[str, Sequence[Mapping[Any, Any]]], None]
HOLD = "hold:"
OVER = (Status.RESOLVED.value, Status.CLOSED.value)
_ended_at = func.coalesce(incidents.c.closed_at, incidents.c.resolved_at)


@dataclass(frozen=True, slots=True)
class Removal:
    """What one batch did: rows by table, and whether the incident is gone altogether."""

    rows: Counter[str]
    is_complete: bool = True


def empty_bodies(connection: Connection, ids: Sequence[str], keep: Keep | None) -> int:
    """Empty the bodies of these deliveries; their length stays in body_bytes. Returns how many had one."""
    ids = sorted(set(ids) - _needed(connection, ids))
    full = and_(deliveries.c.delivery_id.in_(ids), deliveries.c.body != b"")
    if keep:
        for one in ids:  # one at a time: a body can have 8 MiB
            _hand_over(connection, keep, deliveries, and_(full, deliveries.c.delivery_id == one))
    return connection.execute(update(deliveries).where(full).values(body=b"")).rowcount


def bodies_of(connection: Connection, ids: Sequence[str]) -> int:
    """How many of these deliveries have a body that may go."""
    going = sorted(set(ids) - _needed(connection, ids))
    full = and_(deliveries.c.delivery_id.in_(going), deliveries.c.body != b"")
    return connection.execute(select(func.count()).select_from(deliveries).where(full)).scalar_one()


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


def remove_alerts(connection: Connection, ids: Sequence[str], keep: Keep | None) -> int:
    """Remove these alerts and book them as pruned with their deliveries (I4) and incidents (I3); how many."""
    own = grafana_alerts.c
    query = select(own.alert_id, own.delivery_id, own.incident_id).where(own.alert_id.in_(ids))
    found = connection.execute(query.order_by(own.alert_id).with_for_update()).all()
    if not found:
        return 0
    going = [one.alert_id for one in found]
    if keep:
        _hand_over(connection, keep, grafana_alerts, own.alert_id.in_(going))
    with _life_time_counts(connection):
        connection.execute(delete(grafana_alerts).where(own.alert_id.in_(going)))
    if not is_mysql(connection):  # its trigger has lowered the count: sql/sqlite/triggers.sql
        for incident_id, number in Counter(one.incident_id for one in found if one.incident_id).items():
            values = {
                "alert_count": incidents.c.alert_count + number,
                "alerts_pruned": incidents.c.alerts_pruned + number,
            }
            connection.execute(update(incidents).where(incidents.c.incident_id == incident_id).values(values))
    for delivery_id, number in sorted(Counter(one.delivery_id for one in found).items()):
        pruned = deliveries.c.alerts_pruned + number
        mine = deliveries.c.delivery_id == delivery_id
        connection.execute(update(deliveries).where(mine).values(alerts_pruned=pruned))
    return len(going)


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


def remove_deliveries(connection: Connection, ids: Sequence[str], keep: Keep | None) -> int:
    """Remove those of these deliveries that have no alert left; how many."""
    alert = exists().where(grafana_alerts.c.delivery_id == deliveries.c.delivery_id)
    query = select(deliveries.c.delivery_id).where(deliveries.c.delivery_id.in_(ids), ~alert)
    going = list(connection.execute(query.order_by(deliveries.c.delivery_id)).scalars())
    if keep:
        for one in going:
            _hand_over(connection, keep, deliveries, deliveries.c.delivery_id == one)
    return _delete(connection, deliveries, deliveries.c.delivery_id, going)


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
    found = connection.execute(query).all()
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
    kept = {name.removeprefix(HOLD) for name in held} | set(connection.execute(live).scalars())
    if mark is not None:
        waiting = (
            select(events.c.incident_id)
            .distinct()
            .where(events.c.incident_id.in_(ids), events.c.event_id > mark, events.c.published_at.is_(None))
        )
        kept |= set(connection.execute(waiting).scalars())
    return kept


def remove_incident(
    connection: Connection,
    incident_id: str,
    moment: datetime,
    limit: int,
    *,
    has_broker: bool,
    keep: Keep | None,
) -> Removal:
    """Remove up to `limit` rows of each kind of this incident, and the incident itself once it has none left.

    It is locked and looked at again first: somebody may hold it by now, or be at it as well.
    """
    own = incidents.c
    query = select(own.incident_id).where(
        own.incident_id == incident_id, own.status.in_(OVER), _ended_at < moment
    )
    mark = outbox.start_mark(connection) if has_broker else None
    if connection.execute(query.with_for_update()).first() is None or _kept(connection, [incident_id], mark):
        return Removal(Counter())
    rows: Counter[str] = Counter()
    alerts = grafana_alerts.c
    chosen = (
        select(alerts.alert_id)
        .where(alerts.incident_id == incident_id)
        .order_by(alerts.received_at)
        .limit(limit)
    )
    rows["grafana_alerts"] = remove_alerts(connection, list(connection.execute(chosen).scalars()), keep)
    actions = list(connection.execute(_of(remediation_actions, incident_id, limit)).scalars())
    found = connection.execute(select(approvals.c.approval_id).where(approvals.c.action_id.in_(actions)))
    rows["approvals"] = _remove(connection, approvals, list(found.scalars()), keep)
    rows["remediation_actions"] = _remove(connection, remediation_actions, actions, keep)
    for table in (notifications, alert_episodes, events):
        ids = list(connection.execute(_of(table, incident_id, limit)).scalars())
        rows[table.name] = _remove(connection, table, ids, keep)
    if any(number >= limit for number in rows.values()):
        return Removal(rows, is_complete=False)
    rows["incidents"] = _remove(connection, incidents, [incident_id], keep)
    return Removal(rows)


def _of(table: Table, incident_id: str, limit: int) -> Any:
    (key,) = table.primary_key.columns
    return select(key).where(table.c.incident_id == incident_id).limit(limit)


def _remove(connection: Connection, table: Table, ids: Sequence[Any], keep: Keep | None) -> int:
    (key,) = table.primary_key.columns
    if keep and ids:
        _hand_over(connection, keep, table, key.in_(ids))
    return _delete(connection, table, key, ids)


def _delete(connection: Connection, table: Table, key: Any, ids: Sequence[Any]) -> int:
    return connection.execute(delete(table).where(key.in_(sorted(ids)))).rowcount if ids else 0


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
    found = connection.execute(query).all()
    place = (found[-1].run_at, found[-1].job_id) if found else None
    if state is JobState.DONE:
        going = [one.job_id for one in found if one.finished_at < moment and one.status not in OPEN_STATUSES]
    else:
        going = [one.job_id for one in found if one.incident_id is not None and one.status is None]
    return place, going


def remove_jobs(connection: Connection, ids: Sequence[int], state: JobState, keep: Keep | None) -> int:
    """Remove those of these jobs that are still in `state`; how many."""
    query = select(jobs.c.job_id).where(jobs.c.job_id.in_(ids), jobs.c.state == state.value)
    still = list(connection.execute(query.order_by(jobs.c.job_id).with_for_update()).scalars())
    return _remove(connection, jobs, still, keep)


def queues(connection: Connection) -> list[str]:
    """Every queue that has a job."""
    return sorted(connection.execute(select(jobs.c.queue).distinct()).scalars())


def _hand_over(connection: Connection, keep: Keep, table: Table, condition: Any) -> None:
    columns = [column for column in table.c if column.name != "open_key"]
    keep(table.name, list(connection.execute(select(*columns).where(condition)).mappings()))


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

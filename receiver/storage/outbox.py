"""`events` as the outbox: those that no broker has acknowledged yet, and from which event on there is a broker to tell.

Event ids are drawn when a row is inserted and seen when its transaction commits: a lower one may appear after a higher
one has gone out. So nothing here pages by the last id seen; what is left to do is what has no published_at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, insert, literal, null, or_, select, update

from receiver.domain.outgoing import OutgoingEvent
from receiver.storage import database_clock
from receiver.storage.tables import controls, events
from receiver.storage.types import DatabaseNow

CONTROL = "publish"
_ACTOR = "worker"
# A backlog is counted up to here, so that a scrape of /metrics costs little however long a broker has been away.
COUNTED_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many events wait for the broker (COUNTED_AT_MOST at most), and the oldest one's age in seconds, or 0."""

    events: int = 0
    oldest_seconds: float = 0.0


def _along(statement: Select[Any]) -> Select[Any]:
    # Most events are published: a walk along the primary key would look at all of them to find the few that are not.
    hint = "FORCE INDEX (idx_events_unpublished)"
    return statement.with_hint(events, hint, "mysql").with_hint(events, hint, "mariadb")


def _number_up_to(limit: int) -> Select[int]:
    some = _along(select(literal(1).label("one")).where(_waiting)).limit(limit).subquery()
    return select(func.count()).select_from(some)


_waiting = and_(events.c.published_at.is_(null()), events.c.event_id > bindparam("mark"))
_row = (
    events.c.event_id,
    events.c.type,
    events.c.incident_id,
    events.c.alert_id,
    events.c.action_id,
    events.c.actor,
    events.c.trace_id,
    events.c.payload,
    events.c.created_at,
)
_unpublished = _along(select(*_row).where(_waiting)).order_by(events.c.event_id).limit(bindparam("at_most"))
_mark = (
    update(events)
    .where(events.c.event_id.in_(bindparam("ids", expanding=True)), events.c.published_at.is_(null()))
    .values(published_at=DatabaseNow())
)
_number = _number_up_to(COUNTED_AT_MOST)
_oldest = (
    _along(select(events.c.created_at, DatabaseNow()).where(_waiting)).order_by(events.c.event_id).limit(1)
)
_start = select(controls.c.value).where(controls.c.name == CONTROL)
_newest_before = (
    select(events.c.event_id)
    .where(events.c.created_at < bindparam("moment"))
    .order_by(events.c.event_id.desc())
    .limit(1)
)


def unpublished(
    connection: Connection,
    mark: int,
    limit: int,
    *,
    without_incidents: Collection[str] = (),
    without_events: Collection[int] = (),
) -> list[OutgoingEvent]:
    """The `limit` events with the lowest ids above `mark` that no broker has acknowledged, but for those named."""
    wanted = _unpublished
    if without_incidents:
        wanted = wanted.where(
            or_(events.c.incident_id.is_(null()), events.c.incident_id.not_in(without_incidents))
        )
    if without_events:
        wanted = wanted.where(events.c.event_id.not_in(without_events))
    found = connection.execute(wanted, {"mark": mark, "at_most": limit})
    return [OutgoingEvent(**row) for row in found.mappings()]


def mark_published(connection: Connection, event_ids: Sequence[int]) -> None:
    """The broker has acknowledged these. In the order of their ids, as every batch that locks many rows."""
    if event_ids:
        connection.execute(_mark, {"ids": sorted(event_ids)})


def backlog(connection: Connection) -> Backlog:
    """What waits for the broker; nothing before there was one."""
    mark = start_mark(connection)
    if mark is None:
        return Backlog()
    oldest = connection.execute(_oldest, {"mark": mark}).first()
    if oldest is None:
        return Backlog()
    number = connection.execute(_number, {"mark": mark}).scalar_one()
    return Backlog(number, max(0.0, (oldest[1] - oldest[0]).total_seconds()))


def start_mark(connection: Connection) -> int | None:
    """The event after which events go out; None before the first start with a broker."""
    value = connection.execute(_start).scalar_one_or_none()
    return None if value is None else int(value["after_event_id"])


def set_start_mark(connection: Connection, after_event_id: int) -> None:
    """Events above this one go out. Fails as a duplicate (1062) if somebody else has just set the mark."""
    value = {"after_event_id": after_event_id}
    connection.execute(
        insert(controls),
        {"name": CONTROL, "value": value, "changed_by": _ACTOR, "changed_at": database_clock.now(connection)},
    )


def newest_before(connection: Connection, moment: datetime) -> int:
    """The highest id among the events made before `moment`; 0 if there is none."""
    return connection.execute(_newest_before, {"moment": moment}).scalar_one_or_none() or 0

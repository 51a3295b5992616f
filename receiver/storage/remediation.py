"""Rows of `remediation_actions`. Decisions are made under the incident's lock, then the action's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, or_, select, update

from receiver.domain.action_state import ActionState
from receiver.domain.remediation import UNDER_WAY
from receiver.storage.incident_queries import After
from receiver.storage.tables import remediation_actions as actions

_insert = insert(actions)
_existing = select(actions.c.action_id).where(actions.c.action_id.in_(bindparam("ids", expanding=True)))
_one = select(actions).where(actions.c.action_id == bindparam("id"))
_locked = _one.with_for_update()
_ordinal = select(func.coalesce(func.max(actions.c.ordinal), 0)).where(
    actions.c.incident_id == bindparam("incident")
)
_of_incident = (
    select(actions).where(actions.c.incident_id == bindparam("incident")).order_by(actions.c.ordinal)
)
_others = select(actions.c.action_id).where(
    actions.c.incident_id == bindparam("incident"),
    actions.c.action_id != bindparam("but"),
    actions.c.state.in_([state.value for state in UNDER_WAY]),
)
# Dry runs are no runs. What began counts, however it ended: a call that failed may have had a part of its effect.
_runs = select(func.count()).where(
    actions.c.type == bindparam("type"),
    actions.c.started_at > bindparam("since"),
    actions.c.action_id != bindparam("but"),
    actions.c.is_dry_run.is_(False),
)
_on_target = _runs.where(actions.c.target == bindparam("target"))
_for_incident = _runs.where(actions.c.incident_id == bindparam("incident"))
_counts = (
    select(actions.c.state, func.count())
    .where(actions.c.state.in_([state.value for state in UNDER_WAY]))
    .group_by(actions.c.state)
)


def existing(connection: Connection, action_ids: Collection[str]) -> set[str]:
    """Those of these ids that an action has already."""
    return set(connection.execute(_existing, {"ids": list(action_ids)}).scalars())


def next_ordinal(connection: Connection, incident_id: str) -> int:
    """The number of the incident's next action, from 1. The incident's lock must be held."""
    return int(connection.execute(_ordinal, {"incident": incident_id}).scalar_one()) + 1


def insert_row(connection: Connection, row: Mapping[str, Any]) -> None:
    """Insert an action."""
    connection.execute(_insert, dict(row))


def find(connection: Connection, action_id: str) -> RowMapping | None:
    """The action as it is now, not locked; None if there is none."""
    # Ids are ASCII; asking the database for another text may fail on the column's character set.
    if not action_id.isascii():
        return None
    return connection.execute(_one, {"id": action_id}).mappings().first()


def lock(connection: Connection, action_id: str) -> RowMapping:
    """The action as it is now, locked. The incident's lock must be held, and the action exist."""
    return connection.execute(_locked, {"id": action_id}).mappings().one()


def change(connection: Connection, action_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of the locked action."""
    connection.execute(update(actions).where(actions.c.action_id == action_id).values(dict(values)))


def is_any_other_under_way(connection: Connection, row: Mapping[Any, Any]) -> bool:
    """Whether another action of the same incident has not ended yet."""
    asked = {"incident": row["incident_id"], "but": row["action_id"]}
    return connection.execute(_others.limit(1), asked).first() is not None


def runs(
    connection: Connection, row: Mapping[Any, Any], target: str, now: datetime, seconds: float
) -> tuple[int, int]:
    """How many others of the action's kind began in the last so many seconds: on `target`, and for its incident.

    The lock of the target's system must be held, and that of the incident, so that the numbers stay true.
    """
    asked = {
        "type": row["type"],
        "since": now - timedelta(seconds=seconds),
        "but": row["action_id"],
    }
    on_target = connection.execute(_on_target, asked | {"target": target}).scalar_one()
    for_incident = connection.execute(_for_incident, asked | {"incident": row["incident_id"]}).scalar_one()
    return int(on_target), int(for_incident)


def of_incident(connection: Connection, incident_id: str) -> Sequence[RowMapping]:
    """All actions of the incident in the order in which they were asked for."""
    return connection.execute(_of_incident, {"incident": incident_id}).mappings().all()


def page(
    connection: Connection, states: Collection[str], after: After | None, limit: int
) -> Sequence[RowMapping]:
    """At most `limit` actions in one of `states` (any, if there are none), newest first, after the given row."""
    found = select(actions)
    if states:
        found = found.where(actions.c.state.in_(sorted(states)))
    if after is not None:
        older = or_(actions.c.requested_at < after.moment, actions.c.action_id < after.row_id)
        found = found.where(actions.c.requested_at <= after.moment, older)
    found = found.order_by(actions.c.requested_at.desc(), actions.c.action_id.desc()).limit(limit)
    return connection.execute(found).mappings().all()


def counts(connection: Connection) -> dict[str, int]:
    """How many actions are in each state that is no end."""
    found: dict[str, int] = {state: number for state, number in connection.execute(_counts)}
    return {state.value: found.get(state, 0) for state in ActionState if state in UNDER_WAY}

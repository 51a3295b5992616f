"""Rows of `approvals`: what people say to actions that need their word. The action's lock must be held."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from receiver.domain.action_state import ApprovalState
from receiver.storage.tables import approvals
from receiver.storage.text import fit

_of = select(approvals).where(approvals.c.action_id.in_(bindparam("ids", expanding=True)))


def find(connection: Connection, action_id: str) -> RowMapping | None:
    """The approval that was asked for the action, None if none was."""
    return connection.execute(_of, {"ids": [action_id]}).mappings().first()


def of_actions(connection: Connection, action_ids: Collection[str]) -> dict[str, RowMapping]:
    """The approvals of these actions, by action_id; those without are missing."""
    found = connection.execute(_of, {"ids": list(action_ids)}).mappings()
    return {row["action_id"]: row for row in found}


def ask(connection: Connection, action_id: str, at: datetime, expires_at: datetime | None) -> None:
    """Note that the action waits for a person."""
    values = {"action_id": action_id, "state": ApprovalState.PENDING.value}
    connection.execute(insert(approvals), values | {"requested_at": at, "expires_at": expires_at})


def decide(
    connection: Connection, action_id: str, state: ApprovalState, at: datetime, by: str = "", note: str = ""
) -> None:
    """Note what became of it."""
    values = {
        "state": state.value,
        "decided_at": at,
        "decided_by": by[:190] or None,
        "note": fit(note, 500) or None,
    }
    connection.execute(update(approvals).where(approvals.c.action_id == action_id).values(values))

"""What people look up: the actions of an incident, and those in a state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine

from receiver.services.incident_list import Page, asking, known
from receiver.storage import approvals, remediation
from receiver.storage.incident_queries import After

Row = Mapping[Any, Any]


def of_incident(engine: Engine, reference: str) -> list[Row]:
    """All actions of the incident, each with its `approval`, in the order in which they were asked for.

    Raises UnknownIncident, StorageUnavailable.
    """
    with asking(engine) as connection:
        incident = known(connection, reference)
        return _with_approvals(connection, remediation.of_incident(connection, incident["incident_id"]))


def find(engine: Engine, states: Collection[str], after: After | None, limit: int) -> Page:
    """Actions in one of `states` (any, if there are none), newest first. Raises StorageUnavailable."""
    with asking(engine) as connection:
        found = remediation.page(connection, states, after, limit + 1)
        return Page(_with_approvals(connection, found[:limit]), len(found) > limit)


def _with_approvals(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    asked = approvals.of_actions(connection, [row["action_id"] for row in rows])
    return [{**row, "approval": asked.get(row["action_id"])} for row in rows]

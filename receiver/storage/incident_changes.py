"""Writes to one incident that people ask for. The caller holds the incident's lock, which is taken here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from receiver.storage import incidents as open_incidents
from receiver.storage.tables import incidents

_lock = (
    select(*[column for column in incidents.c if column.name != "open_key"])
    .where(incidents.c.incident_id == bindparam("id"))
    .with_for_update()
)
_key = select(incidents.c.incident_key).where(incidents.c.incident_id == bindparam("id"))


def lock(connection: Connection, incident_id: str, incident_key: str) -> RowMapping:
    """The incident's row as it is now, locked.

    The key's open incident is locked first, through its open_key, as the intake does: one order, no deadlock.
    """
    open_incidents.lock_open(connection, [incident_key])
    return connection.execute(_lock, {"id": incident_id}).mappings().one()


def find_and_lock(connection: Connection, incident_id: str | None) -> RowMapping | None:
    """The same by the incident's id alone; None if there is no such incident."""
    key = connection.execute(_key, {"id": incident_id}).scalar() if incident_id else None
    return None if key is None or incident_id is None else lock(connection, incident_id, key)


def change(connection: Connection, incident_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of the locked incident."""
    connection.execute(update(incidents).where(incidents.c.incident_id == incident_id).values(dict(values)))

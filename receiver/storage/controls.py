"""Rows of `controls`: what operators switch while everything runs. Every process reads them anew each time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from receiver.storage.tables import controls

_one = select(controls).where(controls.c.name == bindparam("control"))
_shared = _one.with_for_update(read=True)
_locked = _one.with_for_update()


def find(connection: Connection, name: str) -> RowMapping | None:
    """The control as it is now; None if nobody ever set it."""
    return connection.execute(_one, {"control": name}).mappings().first()


def hold(connection: Connection, name: str) -> RowMapping | None:
    """The same, and until COMMIT nobody can change it: whoever sets it waits for those who act by it."""
    return connection.execute(_shared, {"control": name}).mappings().first()


def put(connection: Connection, name: str, value: Mapping[str, Any], changed_by: str, at: datetime) -> Any:
    """Set the control; returns the value that it had, None if it had none."""
    values = {"value": dict(value), "changed_by": changed_by[:190], "changed_at": at}
    before = connection.execute(_locked, {"control": name}).mappings().first()
    if before is None:
        connection.execute(insert(controls), values | {"name": name})
        return None
    connection.execute(update(controls).where(controls.c.name == name).values(values))
    return before["value"]

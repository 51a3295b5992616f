"""What each channel was sent lately, one row of `controls` a channel: all workers decide by it, one after another."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, insert, select, update

from receiver.domain.channel_pace import Pace
from receiver.storage.tables import controls
from receiver.storage.types import DatabaseNow

_PREFIX = "notify:"
_lock = select(controls.c.value).where(controls.c.name == bindparam("of_name")).with_for_update()
_read = select(controls.c.name, controls.c.value).where(
    controls.c.name.in_(bindparam("names", expanding=True))
)
_insert = insert(controls).values(changed_by="worker", changed_at=DatabaseNow())
_update = (
    update(controls)
    .where(controls.c.name == bindparam("of_name"))
    .values(value=bindparam("new_value"), changed_by="worker", changed_at=DatabaseNow())
)


def lock(connection: Connection, channel: str) -> Pace:
    """The channel's pace, locked until COMMIT; to be held for a moment only, and never while somebody is called.

    Two that meet a new channel at once collide (1062): the transaction is run again.
    """
    name = _name(channel)
    found = connection.execute(_lock, {"of_name": name}).first()
    if found is None:
        connection.execute(_insert, {"name": name, "value": {}})
        return Pace()
    return Pace.from_document(found.value)


def read(connection: Connection, channels: Collection[str]) -> dict[str, Pace]:
    """The pace of each of these channels that was ever told anything, as it is at this moment."""
    found = connection.execute(_read, {"names": [_name(channel) for channel in channels]})
    return {row.name.removeprefix(_PREFIX): Pace.from_document(row.value) for row in found}


def save(connection: Connection, channel: str, pace: Pace) -> None:
    """Write the locked channel's pace."""
    connection.execute(_update, {"of_name": _name(channel), "new_value": pace.to_document()})


def _name(channel: str) -> str:
    return f"{_PREFIX}{channel}"

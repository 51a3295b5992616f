"""Rows of `circuit_breakers`. A system's row is also the lock under which its budget is counted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from receiver.domain.action_state import BreakerState
from receiver.domain.breaker import Breaker
from receiver.storage.tables import circuit_breakers as breakers

_LONGEST_NAME = 190
_lock = select(breakers).where(breakers.c.target_system == bindparam("system")).with_for_update()
_not_closed = (
    select(breakers).where(breakers.c.state != BreakerState.CLOSED.value).order_by(breakers.c.target_system)
)


def name_of(system: str) -> str:
    """The system's name as the column takes it: ASCII, and not too long."""
    return system.encode("ascii", "replace").decode()[:_LONGEST_NAME]


def lock(connection: Connection, system: str, now: datetime) -> Breaker:
    """The breaker of the system, locked; made if need be."""
    row = connection.execute(_lock, {"system": name_of(system)}).mappings().first()
    if row is None:
        connection.execute(insert(breakers), _values(Breaker(), now) | {"target_system": name_of(system)})
        return Breaker()
    return Breaker(BreakerState(row["state"]), row["failures"], row["opened_at"], row["probe_until"])


def save(connection: Connection, system: str, breaker: Breaker, now: datetime) -> None:
    """Write the locked breaker of the system."""
    connection.execute(
        update(breakers).where(breakers.c.target_system == name_of(system)).values(_values(breaker, now))
    )


def not_closed(connection: Connection) -> list[RowMapping]:
    """The systems that are left alone now, or probed, by name."""
    return list(connection.execute(_not_closed).mappings())


def _values(breaker: Breaker, now: datetime) -> dict[str, object]:
    return {
        "state": breaker.state.value,
        "failures": breaker.failures,
        "opened_at": breaker.opened_at,
        "probe_until": breaker.probe_until,
        "changed_at": now,
    }

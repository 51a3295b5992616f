"""Rows of `rollup_slices`: how far the roll-ups are. The stretches of a stream lie side by side without a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from receiver.storage.tables import rollup_slices

ALERTS, EVENTS = "alerts", "events"
LOWEST = "0"  # below every id
_own = rollup_slices.c


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of ids and what was counted of it. `until_id` is not included. `version` 0: not stored yet."""

    stream: str
    from_id: str
    until_id: str
    begun_at: datetime
    due_at: datetime
    tally: Mapping[str, int] = field(default_factory=dict)
    version: int = 0
    is_open: bool = True
    checks: int = 0


def begin(connection: Connection, stream: str, now: datetime) -> None:
    """See to it that the stream has its first row, which stands for all that is counted for good. It is also its lock.

    Somebody may do so at the same moment: then this fails as a duplicate (1062), and the transaction is run again.
    """
    if connection.execute(select(_own.stream).where(_own.stream == stream).limit(1)).first() is None:
        _insert(connection, Slice(stream, "", LOWEST, now, now, version=1, is_open=False))


def newest(connection: Connection, stream: str) -> Slice | None:
    """The last stretch; None before the stream has begun."""
    query = select(rollup_slices).where(_own.stream == stream).order_by(_own.from_id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return _slice(row) if row else None


def due(connection: Connection, stream: str, now: datetime, checks: int) -> list[Slice]:
    """The stretches that were counted less than `checks` times and are to be counted again, oldest first."""
    query = select(rollup_slices).where(
        _own.stream == stream,
        _own.from_id > "",
        _own.is_open.is_(False),
        _own.due_at <= now,
        _own.checks < checks,
    )
    return [_slice(row) for row in connection.execute(query.order_by(_own.from_id)).mappings()]


def lock(connection: Connection, stream: str) -> None:
    """Have this transaction be the only one that counts this stream."""
    first = select(_own.version).where(_own.stream == stream, _own.from_id == "")
    connection.execute(first.with_for_update()).one()


def is_unchanged(connection: Connection, one: Slice) -> bool:
    """Whether the stretch is still as it was read; for a new one: whether it begins where the newest one ends."""
    if not one.version:
        last = newest(connection, one.stream)
        return last is not None and last.until_id == one.from_id and not last.is_open
    query = select(_own.version).where(_own.stream == one.stream, _own.from_id == one.from_id)
    return connection.execute(query).scalar() == one.version


def save(connection: Connection, one: Slice) -> None:
    """Write the stretch. Its stream must be locked."""
    if not one.version:
        _insert(connection, replace(one, version=1))
        return
    values = {
        "until_id": one.until_id,
        "tally": _text(one),
        "version": one.version + 1,
        "is_open": one.is_open,
        "checks": one.checks,
        "due_at": one.due_at,
    }
    mine = (_own.stream == one.stream, _own.from_id == one.from_id)
    connection.execute(update(rollup_slices).where(*mine).values(values))


def forget_settled(connection: Connection, stream: str, checks: int) -> None:
    """Join the oldest stretches that were counted `checks` times to what is counted for good."""
    query = select(_own.from_id, _own.until_id, _own.checks).where(_own.stream == stream, _own.from_id > "")
    settled: list[tuple[str, str]] = []
    for from_id, until_id, done in connection.execute(query.order_by(_own.from_id)):
        if done < checks:
            break
        settled.append((from_id, until_id))
    if settled:
        ids = [from_id for from_id, _ in settled]
        connection.execute(delete(rollup_slices).where(_own.stream == stream, _own.from_id.in_(ids)))
        first = (_own.stream == stream, _own.from_id == "")
        connection.execute(update(rollup_slices).where(*first).values(until_id=settled[-1][1]))


def looked(connection: Connection, stream: str, now: datetime) -> None:
    """Note that all was counted that could be seen at `now`."""
    first = (_own.stream == stream, _own.from_id == "")
    connection.execute(update(rollup_slices).where(*first).values(due_at=now, checks=1))


def last_look(connection: Connection) -> datetime | None:
    """When all streams were counted to their end for the last time; None if that never happened."""
    query = select(_own.due_at).where(_own.from_id == "", _own.checks > 0)
    return min(connection.execute(query).scalars(), default=None)


def _insert(connection: Connection, one: Slice) -> None:
    connection.execute(
        insert(rollup_slices).values(
            stream=one.stream,
            from_id=one.from_id,
            until_id=one.until_id,
            tally=_text(one),
            version=one.version,
            is_open=one.is_open,
            checks=one.checks,
            begun_at=one.begun_at,
            due_at=one.due_at,
        )
    )


def _text(one: Slice) -> str:
    return msgspec.json.encode(one.tally).decode()


def _slice(row: RowMapping) -> Slice:
    return Slice(**{**row, "tally": msgspec.json.decode(row["tally"], type=dict[str, int])})

"""All idempotency keys that begin alike, found by the unique index: LIKE would read the whole table on SQLite."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, and_, bindparam


def in_key_range(column: Column[str]) -> ColumnElement[bool]:
    """Whether the column lies in the range whose ends `key_range` gives."""
    return and_(column > bindparam("key_begin"), column < bindparam("key_end"))


def key_range(begin: str) -> dict[str, str]:
    """The parameters for all keys that begin with `begin` and have more after it."""
    return {"key_begin": begin, "key_end": f"{begin}~"}  # keys are ASCII, and none has ~ there

"""Many rows in one INSERT, straight to the driver: the hot path's way around SQLAlchemy's work for every value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Table

from receiver.clock import as_utc
from receiver.storage.types import UtcDateTime

_json = msgspec.json.Encoder().encode


class BulkInsert:
    """INSERTs rows of `table` that all have these `columns`; `verb` is INSERT or REPLACE.

    PyMySQL sends the rows of one call as few statements, as long as all values are placeholders.
    """

    def __init__(self, table: Table, columns: Sequence[str], verb: str = "INSERT") -> None:
        self._head = f"{verb} INTO {table.name} ({', '.join(columns)}) VALUES "
        self._pick = itemgetter(*columns)
        self._width = len(columns)
        kinds = [table.c[name].type for name in columns]
        self._written: list[tuple[int, Callable[[Any], Any]]] = [
            (place, write) for place, kind in enumerate(kinds) if (write := _writer(kind)) is not None
        ]

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert `rows`, of which there must be at least one. Raises what the driver raises, as SQLAlchemy wraps it."""
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        statement = f"{self._head}({', '.join([mark] * self._width)})"
        connection.exec_driver_sql(statement, [self._values(row) for row in rows])

    def _values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        values = list(self._pick(row))
        for place, write in self._written:
            if values[place] is not None:
                values[place] = write(values[place])
        return tuple(values)


def _writer(kind: Any) -> Callable[[Any], Any] | None:
    """What turns a value into what the driver takes, None where it takes the value as it is."""
    if isinstance(kind, UtcDateTime):
        return _time_text
    return _json_text if isinstance(kind, JSON) else None


def _time_text(moment: datetime) -> str:
    # Always six digits: SQLite compares times as texts.
    return as_utc(moment).replace(tzinfo=None).isoformat(" ", "microseconds")


def _json_text(document: Any) -> str:
    return _json(document).decode()

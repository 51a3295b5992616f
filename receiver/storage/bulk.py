"""Many rows in one INSERT, straight to the driver: the hot path's way around the work for every single value.

On MySQL the statement is written here, each column as its type demands: PyMySQL translates every character
of every text, which was most of the price of a stored alert (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, Boolean, Connection, Integer, LargeBinary, String, Table
from sqlalchemy.types import TypeEngine

from receiver.clock import as_utc
from receiver.storage.types import UtcDateTime

# At most four bytes each: a statement stays under the smallest packet limit of servers, unless one row is longer.
_STATEMENT_CHARACTERS = 256 * 1024
_ROWS_AT_A_TIME = 64
# What stands in hex the server reads without looking for characters, quotes and a name for it. Twice as long, it must
# not come near the packet limit. Not for JSON columns: MySQL takes no bytes for those (3144).
_SHORTEST_IN_HEX, _LONGEST_IN_HEX = 128, 64 * 1024
_TIME_CHARACTERS = len("2026-11-21 12:00:00.000000")
_json = msgspec.json.Encoder().encode
_Literals = Callable[[Iterable[Any]], list[str]]


class BulkInsert:
    """INSERTs rows of `table` that all have these `columns`; `verb` is INSERT or REPLACE.

    Those of `later` are times on the database's clock: a row gives in how many microseconds from now.
    """

    def __init__(
        self, table: Table, columns: Sequence[str], verb: str = "INSERT", later: Collection[str] = ()
    ) -> None:
        self._head = f"{verb} INTO {table.name} ({', '.join(columns)}) VALUES "
        self._pick = itemgetter(*columns)
        self._marks = f"({', '.join(_LATER_MARK if name in later else '?' for name in columns)})"
        writers = [_shift if name in later else _writer(table.c[name].type) for name in columns]
        self._written = [(place, write) for place, write in enumerate(writers) if write is not None]
        self._literals = [_later if name in later else _literals_of(table.c[name].type) for name in columns]

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert `rows`, of which there must be at least one. Raises what the driver raises, as SQLAlchemy wraps it."""
        if connection.dialect.paramstyle == "qmark":
            connection.exec_driver_sql(self._head + self._marks, [self._values(row) for row in rows])
            return
        for statement in self._statements(rows):
            # Nothing is left to fill in, and a per cent sign is nothing special.
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def _statements(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        pieces: list[str] = []
        characters = 0
        for piece in self._written_rows(rows):
            if pieces and characters + len(piece) > _STATEMENT_CHARACTERS:
                yield self._head + ",".join(pieces)
                pieces, characters = [], 0
            pieces.append(piece)
            characters += len(piece)
        yield self._head + ",".join(pieces)

    def _written_rows(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        # Column by column: a call for each of 45 values an alert costs more than what is done with them. A few rows at
        # a time: their texts are still in the processor's cache when they are joined.
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            columns = zip(*map(self._pick, rows[start : start + _ROWS_AT_A_TIME]), strict=True)
            literals = [write(column) for write, column in zip(self._literals, columns, strict=True)]
            for row in zip(*literals, strict=True):
                yield f"({','.join(row)})"

    def _values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        values = list(self._pick(row))
        for place, write in self._written:
            if values[place] is not None:
                values[place] = write(values[place])
        return tuple(values)


# As storage/database_clock.py has it, for rows.
_LATER_MARK = "(strftime('%Y-%m-%d %H:%M:%f000', 'now', ?))"


def _shift(microseconds: int) -> str:
    return f"{microseconds / 1e6:+.3f} seconds"


def _writer(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """What turns a value into what a driver takes, None where it takes the value as it is."""
    if isinstance(kind, UtcDateTime):
        return _time_text
    return _json_text if isinstance(kind, JSON) else None


def _literals_of(kind: TypeEngine[Any]) -> _Literals:
    """What turns a column's values into literals of MySQL."""
    if isinstance(kind, UtcDateTime):
        return _times
    if isinstance(kind, JSON):
        return _documents
    if isinstance(kind, LargeBinary):
        return _binaries
    if isinstance(kind, Boolean | Integer):
        return _numbers
    if isinstance(kind, String):  # Text and Enum, too
        return _texts
    raise NotImplementedError(f"a column of type {kind!r} in a bulk insert")


def _times(moments: Iterable[datetime | None]) -> list[str]:
    return ["NULL" if moment is None else f"'{_time_text(moment)}'" for moment in moments]


def _later(delays: Iterable[int]) -> list[str]:
    return [f"TIMESTAMPADD(MICROSECOND,{int(delay)},CURRENT_TIMESTAMP(6))" for delay in delays]


def _documents(documents: Iterable[Any]) -> list[str]:
    return ["NULL" if document is None else quoted(_json_text(document)) for document in documents]


def _binaries(contents: Iterable[bytes | None]) -> list[str]:
    return ["NULL" if content is None else _binary(content) for content in contents]


def _numbers(numbers: Iterable[int | bool | None]) -> list[str]:
    return ["NULL" if number is None else str(int(number)) for number in numbers]


def _texts(texts: Iterable[str | None]) -> list[str]:
    return ["NULL" if text is None else _text(text) for text in texts]


def _text(text: str) -> str:
    if _SHORTEST_IN_HEX <= len(text) <= _LONGEST_IN_HEX:
        return f"X'{text.encode().hex()}'"
    return quoted(text)


def quoted(text: str) -> str:
    """`text` as a literal of MySQL."""
    # All that a quoted text needs, as long as backslashes escape; storage/engine.py sets the session's sql_mode so.
    # https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _binary(content: bytes) -> str:
    if len(content) > _LONGEST_IN_HEX:
        with suppress(UnicodeDecodeError):
            return "_binary" + quoted(content.decode())  # half as long
    return f"X'{content.hex()}'"


@lru_cache(maxsize=4096)  # one moment stands in many rows of a batch
def _time_text(moment: datetime) -> str:
    # Always six digits, SQLite compares times as texts; and nothing behind them.
    return as_utc(moment).isoformat(" ", "microseconds")[:_TIME_CHARACTERS]


def _json_text(document: Any) -> str:
    return _json(document).decode()

"""Rows by many keys at once, for the hot path: SQLAlchemy writes and binds a parameter for each key of an IN list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Select, bindparam

from receiver.storage.bulk import quoted

_IN_LIST = "(__[POSTCOMPILE_keys])"  # what SQLAlchemy leaves for the values of an expanding parameter


class KeyedSelect:
    """A SELECT of columns whose keys are texts; `statement` makes it of the parameter for an IN list.

    On MySQL the keys are written into the statement: a quarter of the price for hundreds of them.
    """

    def __init__(self, statement: Callable[[BindParameter[Any]], Select[Any]]) -> None:
        self._select = statement(bindparam("keys", expanding=True))
        self._compiled = cache(self._compile)

    def rows(self, connection: Connection, keys: Collection[str]) -> Iterator[tuple[Any, ...]]:
        """The rows with these keys, of which there is at least one; the values as the columns' types have them."""
        if connection.dialect.paramstyle == "qmark":
            yield from (tuple(row) for row in connection.execute(self._select, {"keys": list(keys)}))
            return
        (head, tail), readers = self._compiled(connection.dialect)
        statement = f"{head}({','.join(map(quoted, keys))}){tail}"
        found = connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        for row in found:
            yield tuple(
                value if read is None else read(value) for value, read in zip(row, readers, strict=True)
            )

    def _compile(self, dialect: Dialect) -> tuple[list[str], list[Callable[[Any], Any] | None]]:
        pieces = str(self._select.compile(dialect=dialect)).split(_IN_LIST)
        assert len(pieces) == 2, "one IN list"
        kinds = [column.type for column in self._select.selected_columns]
        return pieces, [kind.dialect_impl(dialect).result_processor(dialect, None) for kind in kinds]

"""INSERT that, where the row exists, changes it instead: the one statement that each database says in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import mysql, sqlite

from receiver.storage.engine import is_mysql


def add_to(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], numbers: Sequence[str]
) -> None:
    """Insert rows; where one exists by its primary key, add this row's `numbers` to its own."""
    if not rows:
        return
    if is_mysql(connection):
        new = mysql.insert(table)
        sums = {name: table.c[name] + new.inserted[name] for name in numbers}
        connection.execute(new.on_duplicate_key_update(sums), rows)
        return
    one = sqlite.insert(table)
    changed = one.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + one.excluded[name] for name in numbers},
    )
    connection.execute(changed, rows)


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], but: frozenset[str]) -> None:
    """Insert rows; where one exists by its primary key, give it this row's values, in all columns `but` those."""
    if not rows:
        return
    names = [name for name in rows[0] if name not in but and not table.c[name].primary_key]
    if is_mysql(connection):
        new = mysql.insert(table)
        connection.execute(new.on_duplicate_key_update({name: new.inserted[name] for name in names}), rows)
        return
    one = sqlite.insert(table)
    changed = one.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={name: one.excluded[name] for name in names}
    )
    connection.execute(changed, rows)

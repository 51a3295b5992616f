"""sql/*.sql, the migrations and receiver/storage/tables.py describe one and the same database, on every engine."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, Enum, text

from receiver.storage.engine import create_engine
from receiver.storage.migrate import bundled, newest_revision, upgrade
from receiver.storage.report_day_table import report_days

# The catalogue views that say everything about tables, indexes, constraints and triggers on MariaDB and MySQL.
CATALOGUE = {
    "columns": """SELECT table_name, ordinal_position, column_name, column_type, is_nullable, column_default,
        collation_name, extra, generation_expression FROM information_schema.columns WHERE table_schema = DATABASE()""",
    "indexes": """SELECT table_name, index_name, seq_in_index, column_name, non_unique
        FROM information_schema.statistics WHERE table_schema = DATABASE()""",
    "foreign keys": """SELECT table_name, constraint_name, column_name, referenced_table_name, referenced_column_name
        FROM information_schema.key_column_usage WHERE table_schema = DATABASE()""",
    "tables": """SELECT table_name, engine, table_collation FROM information_schema.tables
        WHERE table_schema = DATABASE()""",
    "triggers": """SELECT trigger_name, event_object_table, event_manipulation, action_timing, action_statement
        FROM information_schema.triggers WHERE trigger_schema = DATABASE()""",
}


metadata = report_days.metadata


def mysql_statements(file: str) -> Iterator[str]:
    """The statements of a file for the mysql client, which knows DELIMITER and comments."""
    script = re.sub(r"--.*$", "", (bundled("sql") / file).read_text(), flags=re.MULTILINE)
    delimiter = "//" if "DELIMITER //" in script else ";"
    script = re.sub(r"^DELIMITER.*$", "", script, flags=re.MULTILINE)
    return (part.strip() for part in script.split(delimiter) if part.strip())


def described(connection: Connection) -> dict[str, list[tuple[str, ...]]]:
    found = {}
    for what, query in CATALOGUE.items():
        rows = [
            tuple(" ".join(str(value).split()) for value in row) for row in connection.execute(text(query))
        ]
        found[what] = sorted(row for row in rows if row[0] != "alembic_version")
    return found


def test_the_sql_files_and_the_migrations_make_the_same_mysql_database(
    new_mysql_database: Callable[[], str],
) -> None:
    by_hand, migrated = create_engine(new_mysql_database()), create_engine(new_mysql_database())
    upgrade(migrated)
    with by_hand.connect() as connection:
        for file in ("schema.sql", "triggers.sql"):
            for statement in mysql_statements(file):
                connection.exec_driver_sql(statement)
    with by_hand.connect() as one, migrated.connect() as other:
        expected = described(one)
        assert len(expected["triggers"]) == 3
        for what, rows in described(other).items():
            assert rows == expected[what], what
    by_hand.dispose()
    migrated.dispose()


def sqlite_description(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    )
    return sorted((name, " ".join(re.sub(r"--.*", "", sql).split())) for name, sql in rows)


def test_the_sql_files_and_the_migrations_make_the_same_sqlite_database(sqlite_engine: Engine) -> None:
    by_hand = sqlite3.connect(":memory:")
    for file in ("schema.sql", "triggers.sql"):
        by_hand.executescript((bundled("sql") / "sqlite" / file).read_text())
    migrated = sqlite3.connect(sqlite_engine.url.database or "")
    assert sqlite_description(by_hand) == sqlite_description(migrated)
    assert {"deliveries", "trg_number_incident"} <= {name for name, _ in sqlite_description(migrated)}
    by_hand.close()
    migrated.close()


# AUTO_INCREMENT outside the primary key cannot be said in tables.py: the column is nullable there, so that inserts
# may leave it out, and NOT NULL in MySQL.
KNOWN_DIFFERENCE = ("modify_nullable", "incidents", "number")


# MySQL writes the generated column's expression in words of its own; the two databases above are compared by it.
@pytest.mark.filterwarnings("ignore:Computed default on incidents.open_key cannot be modified")
def test_the_tables_in_python_are_those_of_the_database(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        found = compare_metadata(context, metadata)
    differences = [change for group in found for change in (group if isinstance(group, list) else [group])]
    assert [one for one in differences if (one[0], one[2], one[3]) != KNOWN_DIFFERENCE] == []


def enum_columns() -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (table.name, column.name, tuple(column.type.enums))
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Enum)
    ]


@pytest.mark.parametrize(("table", "column", "values"), enum_columns())
def test_each_enum_in_python_has_the_values_of_its_column(
    mysql_engine: Engine, table: str, column: str, values: tuple[str, ...]
) -> None:
    query = text(
        "SELECT column_type FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = :table AND column_name = :column"
    )
    with mysql_engine.connect() as connection:
        kind = connection.execute(query, {"table": table, "column": column}).scalar_one()
    assert tuple(re.findall(r"'([^']*)'", str(kind))) == values


def test_texts_are_compared_by_the_collations_that_were_chosen_for_them(mysql_engine: Engine) -> None:
    with mysql_engine.connect() as connection:
        names = connection.execute(
            text(
                "SELECT DISTINCT collation_name FROM information_schema.columns"
                " WHERE table_schema = DATABASE() AND table_name != 'alembic_version' AND data_type != 'json'"
            )
        )
        assert {name for (name,) in names if name} == {"ascii_bin", "utf8mb4_bin", "utf8mb4_unicode_520_ci"}


def test_upgrading_twice_changes_nothing(empty_engine: Engine) -> None:
    upgrade(empty_engine)
    upgrade(empty_engine)
    with empty_engine.connect() as connection:
        assert (
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            == newest_revision()
        )

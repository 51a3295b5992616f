"""Brings a database to this release's schema with Alembic, and tells whether it is there already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

import receiver
from receiver.errors import SchemaOutOfDate
from receiver.storage.engine import is_mysql, reading

# Several hosts may start a new release at once; the others wait for the first, which needs seconds, not minutes.
_LOCK_NAME = "receiver_db_upgrade"
_LOCK_WAIT_SECONDS = 120


def bundled(folder: str) -> Path:
    """Where `migrations` or `sql` lies: inside the installed package as `_migrations`, or beside it in a checkout."""
    package = Path(receiver.__file__).parent
    installed = package / f"_{folder}"
    return installed if installed.is_dir() else package.parent / folder


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(bundled("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that are missing up to `revision`. Repeating it does nothing."""
    with engine.connect() as connection, _one_at_a_time(connection):
        alembic.command.upgrade(_config(connection), revision)


@contextmanager
def _one_at_a_time(connection: Connection) -> Iterator[None]:
    if not is_mysql(connection):
        yield  # SQLite's write lock does it
        return
    # The statement timeout must outlast the wait for the lock, so the lock is asked for in short turns.
    for _ in range(_LOCK_WAIT_SECONDS // 5):
        if connection.execute(text("SELECT GET_LOCK(:name, 5)"), {"name": _LOCK_NAME}).scalar():
            break
    else:
        raise SchemaOutOfDate(
            f"another `db upgrade` has held the lock {_LOCK_NAME} for {_LOCK_WAIT_SECONDS} seconds"
        )
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK_NAME})


def newest_revision() -> str:
    """The revision that this release needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "migrations/versions is empty"
    return head


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def require_newest(engine: Engine) -> None:
    """Raise SchemaOutOfDate, saying what to run, unless the database is at this release's revision."""
    with reading(engine) as connection:
        current = current_revision(connection)
    if current != newest_revision():
        raise SchemaOutOfDate(
            f"the database is at revision {current or 'none'}, this release needs {newest_revision()}: "
            "run `receiver db upgrade`"
        )

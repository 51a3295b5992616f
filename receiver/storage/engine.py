"""The engine and what differs between databases: connection settings, transactions, errors that may be tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pymysql
import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError

CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_SECONDS = 8  # MariaDB on a full disk hangs instead of failing: nothing may wait for ever
LOCK_TIMEOUT_SECONDS = 3

# A full rollback and another try may succeed. 1213 deadlock, 1205 lock wait, 1020 row changed, 1062 duplicate (somebody
# was faster), 1644 a trigger's refusal (the same race), 1040/1203 too many connections, 1053 shutdown, 1290/1836
# read-only during failover, 1047/1180 no quorum on Galera, 1927/1317 killed, 1158-1161 network, 2003 no connection,
# 2006/2013/2055 connection lost, 4031 idle connection closed. From docs of MySQL and MariaDB, seen under load.
RETRYABLE_CODES = frozenset(
    {1213, 1205, 1020, 1062, 1644, 1040, 1203, 1053, 1290, 1836, 1047, 1180, 1927, 1317}
    | {1158, 1159, 1160, 1161, 2003, 2006, 2013, 2055, 4031}
)
# Galera: a brute-force abort while a connection loads a table's triggers.
_TRIGGER_PARSE_RACE = (1064, "trigger has an error in its body")
DUPLICATE_CODE = 1062
_CONFLICT_CODES = frozenset({DUPLICATE_CODE, 1644})
_DEADLOCK_CODE = 1213
_NO_MAJORITY_CODES = frozenset({1047, 1180})

# The hot path writes these values; the session refuses to cut or change them silently.
_SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


def create_engine(url: str, *, pool_size: int = 16) -> Engine:
    """An engine for `url` (sqlite:///..., mysql+pymysql://...), set up the same way for every user of it.

    Raises sqlalchemy.exc.ArgumentError for a malformed URL. Connects lazily.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, pool_size)
    return _mysql_engine(parsed, pool_size)


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _mysql_engine(url: URL, pool_size: int) -> Engine:
    # autocommit=0 is PyMySQL's default. FOUND_ROWS (SQLAlchemy's default) makes row counts mean "matched".
    setup = (
        f"SET time_zone='+00:00', SESSION innodb_lock_wait_timeout={LOCK_TIMEOUT_SECONDS}, "
        f"SESSION sql_mode='{_SQL_MODE}'"
    )
    engine = sqlalchemy.create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=2,
        pool_recycle=900,
        # No rollback by the pool: every transaction is ended where it was begun. No ping before each use: a transaction
        # that meets a dead connection is run again anyway. They would be two of a dozen round trips of each batch.
        pool_reset_on_return=None,
        pool_use_lifo=True,
        json_serializer=_json_text,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": STATEMENT_TIMEOUT_SECONDS,
            "write_timeout": STATEMENT_TIMEOUT_SECONDS,
            "init_command": setup,
        },
    )
    event.listen(engine, "handle_error", _drop_if_its_transaction_may_be_open)
    return engine


def _drop_if_its_transaction_may_be_open(context: ExceptionContext) -> None:
    # A Galera node that loses its majority refuses ROLLBACK as well (1047), and the transaction stays open: whoever
    # took the connection from the pool next would commit the half of it. Nor may one go on whose COMMIT or ROLLBACK
    # failed in another way (those have no statement here); only after a deadlock the server has rolled back by itself.
    args = context.original_exception.args
    code = args[0] if args else None
    is_end = context.connection is not None and context.statement is None
    if code in _NO_MAJORITY_CODES or (is_end and code != _DEADLOCK_CODE):
        context.is_disconnect = True


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=4,
        json_serializer=_json_text,
        connect_args={"timeout": LOCK_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: _begin_sqlite does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the write lock at once: upgrading a read transaction later fails without waiting (SQLITE_BUSY).
    reading = connection.get_execution_options().get("receiver_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for queries only, which on SQLite does not wait for writers. Nothing is kept of what it writes."""
    with engine.connect().execution_options(receiver_reading=True) as connection:
        if is_mysql(connection):
            _replace_if_dead(connection)
        yield connection


def _replace_if_dead(connection: Connection) -> None:
    # The server or a proxy may have closed it while it lay in the pool, and nobody runs a query again.
    try:
        connection.connection.driver_connection.ping(reconnect=False)  # type: ignore[union-attr]  # there is one
    except pymysql.err.Error:
        connection.invalidate()  # the first query opens a new one


def is_mysql(connection: Connection) -> bool:
    """Whether this is MySQL or MariaDB."""
    return connection.dialect.name in ("mysql", "mariadb")


def error_code(error: DBAPIError) -> int | None:
    """The server's or client's error number (MySQL and MariaDB), None for other databases."""
    args = getattr(error.orig, "args", ())
    return args[0] if args and isinstance(args[0], int) else None


def is_retryable(error: BaseException) -> bool:
    """Whether rolling the whole transaction back and running it again may help."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return True  # every pooled connection is busy
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        busy = isinstance(error.orig, sqlite3.OperationalError) and "locked" in str(error.orig)
        return busy or isinstance(error.orig, sqlite3.IntegrityError)
    code, text = error_code(error), str(error.orig)
    return code in RETRYABLE_CODES or (code == _TRIGGER_PARSE_RACE[0] and _TRIGGER_PARSE_RACE[1] in text)


def is_conflict(error: BaseException) -> bool:
    """Whether rows that are there already stand against it: as long as they do, another try fails as well."""
    return isinstance(error, DBAPIError) and (
        error_code(error) in _CONFLICT_CODES or isinstance(error.orig, sqlite3.IntegrityError)
    )


def is_unreachable(error: BaseException) -> bool:
    """Whether the database could not be asked at all, as against having said no."""
    return isinstance(error, sqlalchemy.exc.TimeoutError) or (
        isinstance(error, DBAPIError)
        and (
            error.connection_invalidated or error_code(error) in {2003, 2006, 2013, 1040} | _NO_MAJORITY_CODES
        )
    )

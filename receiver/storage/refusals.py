"""What it means when the database says no, in words for people: never a password, a statement or its values."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from receiver.storage.engine import error_code, is_unreachable

# Numbers of MariaDB and MySQL: https://mariadb.com/kb/en/mariadb-error-code-reference/
_MEANINGS = {
    1040: "it has too many connections",
    1044: "the account may not use this database",
    1045: "the user name or the password is wrong, or the account may not come from this machine",
    1049: "it has no database of this name: create it first",
    1129: "it has blocked this machine after too many failed connections (FLUSH HOSTS)",
    1130: "it takes no connections from this machine",
    1142: "the account lacks a privilege (see `receiver doctor`)",
    1146: "a table is missing: run `receiver db upgrade`",
    1227: "the account lacks a privilege (see `receiver doctor`)",
    1290: "it is read-only: a replica, or in the middle of a failover",
    1370: "the account lacks a privilege (see `receiver doctor`)",
    1419: (
        "the binary log is on and the account may not create triggers: SET GLOBAL log_bin_trust_function_creators = 1,"
        " or use an account that has SUPER"
    ),
    2002: "nothing answers there",
    2003: "nothing answers there",
    2005: "the host's name cannot be resolved",
    2006: "the connection was lost",
    2013: "the connection was lost",
    2026: "TLS could not be agreed on",
    2059: "it wants an authentication method that is not available here",
    2061: "it wants an authentication method that is not available here",
}
_UNREACHABLE = {1044, 1045, 1049, 1129, 1130, 2002, 2005, 2026, 2059, 2061}


def explain(error: SQLAlchemyError) -> str:
    """What the error means and, where that is known, what to do."""
    if isinstance(error, PoolTimeout):
        return "no connection became free in time"
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    if isinstance(error.orig, sqlite3.Error):
        # SQLite's own messages are fixed phrases with names of tables, never values.
        return str(error.orig)
    code = error_code(error)
    if code is None:
        return type(error.orig).__name__
    return f"{_MEANINGS[code]} ({code})" if code in _MEANINGS else f"error {code}"


def cannot_be_used(error: SQLAlchemyError) -> bool:
    """Whether the database could not be reached, or not entered with this account."""
    if is_unreachable(error) or (isinstance(error, DBAPIError) and error_code(error) in _UNREACHABLE):
        return True
    return isinstance(error, DBAPIError) and "unable to open" in str(error.orig)

"""Connections: what the pool does with dead ones, and what a session is like."""

from __future__ import annotations

import gc
import weakref

import pymysql
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from receiver.services.transaction import transact
from receiver.storage import engine as engines
from receiver.storage.engine import reading


def session_id(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(text("SELECT CONNECTION_ID()")).scalar_one())


def kill(engine: Engine, session: int) -> None:
    other = engines.create_engine(engine.url.render_as_string(hide_password=False))
    with other.connect() as connection:
        connection.execute(text(f"KILL {session}"))
    other.dispose()


def test_a_reading_replaces_a_connection_that_died_in_the_pool(mysql_engine: Engine) -> None:
    before = session_id(mysql_engine)
    kill(mysql_engine, before)
    assert session_id(mysql_engine) != before


def test_a_transaction_that_meets_a_dead_connection_is_run_again(mysql_engine: Engine) -> None:
    kill(mysql_engine, session_id(mysql_engine))
    attempts = []
    transact(mysql_engine, lambda connection, attempt: attempts.append(connection.execute(text("SELECT 1"))))
    assert len(attempts) == 1


class _Statement:
    """Something large that a frame holds."""


def test_a_failed_transaction_leaves_no_statement_for_the_garbage_collector(mysql_engine: Engine) -> None:
    held: list[weakref.ref[_Statement]] = []

    def work(connection: Connection, attempt: int) -> None:
        statement = _Statement()
        held.append(weakref.ref(statement))
        session = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        if attempt < 2:
            kill(mysql_engine, session)
        connection.execute(text("SELECT 1"))

    gc.collect()
    gc.disable()
    try:
        transact(mysql_engine, work)
        assert [one() for one in held] == [None, None, None]
    finally:
        gc.enable()


def test_nothing_of_a_reading_stays_open_when_it_is_over(mysql_engine: Engine) -> None:
    with reading(mysql_engine) as connection:
        connection.execute(text("SELECT * FROM incidents"))
    with mysql_engine.begin() as connection:
        open_transactions = (
            "SELECT COUNT(*) FROM information_schema.innodb_trx AS t"
            " JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id"
            " WHERE p.db = DATABASE() AND p.id != CONNECTION_ID()"  # other tests use the same server
        )
        assert connection.execute(text(open_transactions)).scalar_one() == 0


def test_a_session_is_in_utc_strict_and_read_committed(mysql_engine: Engine) -> None:
    with reading(mysql_engine) as connection:
        zone, mode = connection.execute(text("SELECT @@session.time_zone, @@session.sql_mode")).one()
        assert zone == "+00:00"
        assert "STRICT_TRANS_TABLES" in mode
        assert connection.get_isolation_level() == "READ COMMITTED"


def test_sqlite_flushes_each_commit_and_checks_foreign_keys(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("synchronous", "foreign_keys")
        }
    assert pragmas == {"synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    ("code", "is_used_again"), [(1047, False), (2013, False), (1105, False), (1213, True)]
)
def test_a_connection_whose_transaction_may_be_open_still_is_not_used_again(
    mysql_engine: Engine, monkeypatch: pytest.MonkeyPatch, code: int, is_used_again: bool
) -> None:
    def refuse(connection: pymysql.Connection) -> None:
        raise pymysql.err.OperationalError(code, "no")

    with mysql_engine.connect() as connection:
        before = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        with monkeypatch.context() as patch:
            patch.setattr(pymysql.connections.Connection, "rollback", refuse)
            with pytest.raises(DBAPIError):
                connection.rollback()
    assert (session_id(mysql_engine) == before) is is_used_again


@pytest.mark.parametrize(("code", "is_used_again"), [(1047, False), (1180, False), (1062, True)])
def test_nor_is_one_whose_node_has_lost_its_majority(
    mysql_engine: Engine, monkeypatch: pytest.MonkeyPatch, code: int, is_used_again: bool
) -> None:
    def refuse(connection: pymysql.Connection, sql: str, unbuffered: bool = False) -> int:
        raise pymysql.err.OperationalError(code, "no")

    with mysql_engine.connect() as connection:
        before = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        with monkeypatch.context() as patch:
            patch.setattr(pymysql.connections.Connection, "query", refuse)
            with pytest.raises(DBAPIError):
                connection.execute(text("SELECT 1"))
        connection.rollback()
    assert (session_id(mysql_engine) == before) is is_used_again

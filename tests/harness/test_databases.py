"""Each test has its database to itself, whatever an earlier one left."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import Engine, func, select

from receiver.storage import tables
from receiver.storage.migrate import current_revision, newest_revision
from tests.fixtures import databases

JOB = {
    "queue": "notify",
    "kind": "notify",
    "idempotency_key": "one",
    "payload": {},
    "max_attempts": 1,
    "trace_id": "0" * 32,
}


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(tables.jobs)).scalar_one()


def test_an_empty_database_has_no_table(empty_engine: Engine):
    assert sqlalchemy.inspect(empty_engine).get_table_names() == []


def test_a_migrated_database_is_at_the_newest_revision_and_has_no_row(engine: Engine):
    with engine.connect() as connection:
        assert current_revision(connection) == newest_revision()
    assert rows(engine) == 0


def test_what_a_test_left_is_gone_for_the_next_one(mysql_engine: Engine):
    with mysql_engine.begin() as connection:
        connection.execute(tables.jobs.insert().values(JOB))
    forgotten = mysql_engine.connect()
    forgotten.execute(select(tables.jobs).with_for_update())
    assert rows(mysql_engine) == 1
    databases._empty(mysql_engine.url.render_as_string(hide_password=False))
    mysql_engine.dispose()  # its connections were cut, and it would use them again
    assert rows(mysql_engine) == 0
    with mysql_engine.begin() as connection:
        assert connection.execute(tables.jobs.insert().values(JOB)).inserted_primary_key == (1,)
    forgotten.invalidate()
    forgotten.close()


def test_one_test_may_have_several_databases(new_mysql_database):
    assert new_mysql_database() != new_mysql_database()

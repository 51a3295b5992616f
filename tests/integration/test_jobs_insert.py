"""How jobs come into the table, on every kind of database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from receiver.services.transaction import transact
from receiver.storage import database_clock, jobs, leases
from receiver.storage.engine import reading
from tests.builders.jobs import QUEUE, add, request, row, rows, states


def due(engine: Engine) -> bool:
    with reading(engine) as connection:
        return bool(leases.due_queues(connection, [QUEUE]))


def test_a_job_without_delay_is_due_as_soon_as_it_is_committed(engine):
    add(engine, request(payload={"channel": "größe"}, incident_id="INC-1", trace_id="t", max_attempts=3))
    assert due(engine)
    found = row(engine)
    assert (found["state"], found["attempt"], found["max_attempts"]) == ("ready", 0, 3)
    assert (found["payload"], found["incident_id"], found["trace_id"]) == ({"channel": "größe"}, "INC-1", "t")


def test_a_delay_counts_from_the_clock_of_the_database(engine):
    add(engine, request("soon", delay_seconds=90))
    with engine.connect() as connection:
        now = database_clock.now(connection)
    assert 80 < (row(engine, "soon")["run_at"] - now).total_seconds() <= 90
    assert not due(engine)


def test_the_clock_of_the_database_is_utc(engine):
    with engine.connect() as connection:
        now = database_clock.now(connection)
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60


def test_a_key_is_taken_once(engine):
    add(engine, request("k"))
    with pytest.raises(IntegrityError):
        add(engine, request("k"))


def test_insert_once_adds_only_what_is_missing(engine):
    add(engine, request("old", payload={"n": 1}))
    for _ in range(2):
        wanted = [request("old", payload={"n": 2}), request("new"), request("later", delay_seconds=5)]
        transact(engine, lambda connection, _: jobs.insert_once(connection, wanted))  # noqa: B023 - runs at once
    assert states(engine) == {"old": "ready", "new": "ready", "later": "ready"}
    assert row(engine, "old")["payload"] == {"n": 1}


def test_insert_once_takes_nothing(engine):
    with engine.begin() as connection:
        jobs.insert_once(connection, [])
    assert rows(engine) == []


def test_many_jobs_are_one_statement_for_the_server(mysql_engine):
    with mysql_engine.begin() as connection:
        counter = text("SHOW SESSION STATUS LIKE 'Com_insert'")
        before = int(connection.execute(counter).one()[1])
        jobs.insert_many(connection, [request(f"k{number}") for number in range(100)])
        assert int(connection.execute(counter).one()[1]) - before == 1
    assert len(rows(mysql_engine)) == 100

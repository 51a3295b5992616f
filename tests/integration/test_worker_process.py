"""`receiver worker` as a process, when the database is not what it should be."""

from __future__ import annotations

import os
import signal

import pytest
from sqlalchemy import text

from receiver.cli.worker import NICENESS
from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from tests.builders.jobs import rows
from tests.fakes.processes import BIN, environment
from tests.fakes.relay import Relay


@pytest.fixture
def start_worker(start_process, tmp_path):
    def start(url):
        env = environment({"RECEIVER_DATABASE_URL": url.render_as_string(hide_password=False)})
        return start_process([BIN / "receiver", "worker"], folder=tmp_path / "worker", env=env)

    return start


def test_a_worker_that_is_started_before_its_database_waits_for_it(mysql_engine, start_worker):
    with Relay(mysql_engine.url.port) as relay:
        relay.cut()
        worker = start_worker(mysql_engine.url.set(port=relay.port))
        worker.wait_for_output("worker.no_database")
        relay.mend()
        worker.wait_for_output("worker.started")
        assert worker.stop() == 0


def test_a_worker_leaves_the_cpu_to_those_who_take_alerts_in(mysql_engine, start_worker):
    worker = start_worker(mysql_engine.url)
    worker.wait_for_output("worker.started")
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == min(19, ours + NICENESS) > ours


def test_a_worker_that_waits_for_its_database_can_be_ended(mysql_engine, start_worker):
    with Relay(mysql_engine.url.port) as relay:
        relay.cut()
        worker = start_worker(mysql_engine.url.set(port=relay.port))
        worker.wait_for_output("worker.no_database")
        worker.send(signal.SIGTERM)
        assert worker.wait(15) == 0


def test_a_worker_does_not_touch_a_database_of_another_release(
    mysql_engine, start_worker, new_mysql_database
):
    url = mysql_engine.url.set(database=new_mysql_database().rpartition("/")[2])
    worker = start_worker(url)
    assert worker.wait(30) == 3
    assert "receiver db upgrade" in worker.output()
    assert "worker.started" not in worker.output()
    assert rows(mysql_engine) == []


def test_a_worker_ends_by_itself_when_another_release_changes_the_schema(
    mysql_engine, start_worker, new_mysql_database
):
    engine = create_engine(new_mysql_database())
    try:
        upgrade(engine)
        worker = start_worker(engine.url)
        worker.wait_for_output("worker.started")
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999_newer'"))
        assert worker.wait(30) == 3
        assert "its schema was changed" in worker.output()
        assert "worker.stopped" in worker.output()  # what it had in hand was ended first
    finally:
        engine.dispose()

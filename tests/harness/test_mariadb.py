"""The private database server: a real one, ours alone, and gone afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy

from tests.fakes import tools
from tests.fakes.mariadb import MariaDB
from tests.fakes.polling import wait_until
from tests.fakes.processes import Process, environment
from tests.fixtures import databases


@pytest.fixture(autouse=True)
def _only_where_it_is_used():
    if os.environ.get(databases.VARIABLE) and not tools.find("mariadbd"):
        pytest.skip(f"{databases.VARIABLE} names the server to test against; there is no private one")


@pytest.fixture
def server(request: pytest.FixtureRequest):
    server = MariaDB(**getattr(request, "param", {}))
    yield server
    server.stop()


def ask(url: str | sqlalchemy.URL, question: str):
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.exec_driver_sql(question).scalar_one()
    finally:
        engine.dispose()


def test_two_servers_run_side_by_side(server):
    other = MariaDB()
    try:
        assert ask(server.url, "SELECT @@datadir") != ask(other.url, "SELECT @@datadir")
    finally:
        other.stop()


def test_each_commit_reaches_the_disk(server):
    assert ask(server.url, "SELECT @@innodb_flush_log_at_trx_commit") == 1


@pytest.mark.parametrize("server", [{"binlog": True}], indirect=True)
def test_the_binary_log_can_be_on(server):
    assert ask(server.url, "SELECT @@log_bin") == 1


def test_nobody_gets_in_without_the_password(server):
    url = sqlalchemy.make_url(server.url)
    for user, password in (("root", ""), ("receiver", ""), ("", "")):
        with pytest.raises(sqlalchemy.exc.OperationalError, match="Access denied"):
            ask(url.set(username=user, password=password), "SELECT 1")


def test_a_stopped_server_leaves_neither_process_nor_data(server):
    folder, process = server._folder, server._process
    server.stop()
    process.assert_nothing_left()
    assert not folder.exists()


def test_a_run_that_is_killed_leaves_nothing(tmp_path, start_process: Callable[..., Process]):
    command = [sys.executable, "-m", "tests.fakes.mariadb"]
    run = start_process(command, folder=tmp_path, env=environment({"PYTHONPATH": str(tools.ROOT)}))
    run.wait_for_output("/receiver\n")
    data = Path(ask(run.output().strip(), "SELECT @@datadir"))
    assert data.is_dir()
    run.kill()
    wait_until(lambda: not data.parent.exists(), timeout=20, what="its data removed")

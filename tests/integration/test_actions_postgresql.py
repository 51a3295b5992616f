"""postgresql.kill_connections on a real PostgreSQL: which connections go, which stay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from receiver.remediation import postgresql_connections
from receiver.remediation.base import Action
from tests.builders.actions import actions, carry_out, failure_of, order
from tests.fakes.leaks import told
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.postgresql import PostgreSQL
from tests.fakes.raw_http import RawServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture
def known(server: PostgreSQL) -> dict[str, Action]:
    return actions(REMEDIATION_DATABASES=f"stock={server.url}")


def kill(**parameters):
    return order("postgresql.kill_connections", {"database": "stock"}, **parameters)


def has_ended(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def chosen(known, wanted, count: int) -> None:
    action = known[wanted.action]
    wait_until(lambda: len(action.plan(wanted).token or ()) == count, what=f"{count} connections are chosen")


def test_idle_connections_end_and_those_that_have_just_worked_stay(server, known):
    with server.connect() as idle, server.connect() as other:
        wanted = kill(idle_seconds=1)
        chosen(known, wanted, 2)
        plan = known[wanted.action].plan(wanted)
        assert plan.text.startswith("end 2 of 2 connections of postgresql:stock: 2 idle, 0 busy (receiver 2)")
        other.execute("SELECT 1")
        assert known[wanted.action].run(wanted, plan).to_state == {"ended": 1, "connections": 1}
        assert (has_ended(idle), has_ended(other)) == (True, False)


def test_an_open_transaction_that_does_nothing_counts_as_idle(server, known):
    with server.connect() as connection:
        connection.execute("BEGIN")
        chosen(known, kill(idle_seconds=1), 1)
        carry_out(known, kill(idle_seconds=1))
        assert has_ended(connection)


def test_a_statement_that_runs_for_long_is_ended_and_idle_ones_stay(server, known):
    with server.connect() as idle, closing(server.connect()) as busy:
        busy.pgconn.send_query(b"SELECT pg_sleep(60)")
        chosen(known, kill(running_seconds=1), 1)
        result = carry_out(known, kill(running_seconds=1))
        assert result.to_state["ended"] == 1
        assert not has_ended(idle)


def test_only_connections_of_the_named_user_end(server, known):
    with server.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS app")
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'pw'")
        with server.connect(user="app", password="pw") as other:
            chosen(known, kill(idle_seconds=1), 2)
            carry_out(known, kill(idle_seconds=1, user="app"))
            assert (has_ended(other), has_ended(connection)) == (True, False)
        connection.execute("DROP ROLE app")


def test_no_more_are_ended_than_are_allowed_at_once(server, known):
    with server.connect() as one, server.connect() as two:
        chosen(known, kill(idle_seconds=1), 2)
        assert carry_out(known, kill(idle_seconds=1, most=1)).to_state["ended"] == 1
        assert has_ended(one) is not has_ended(two)


def test_where_there_is_none_nothing_is_done(known):
    assert (
        carry_out(known, kill(idle_seconds=3600)).output == "no connection of postgresql:stock is to be ended"
    )


def test_a_wrong_password_is_told_and_neither_it_nor_the_address(server):
    url = server.url.replace("receiver:", "receiver:wrong-password-")
    failure = failure_of(actions(REMEDIATION_DATABASES=f"stock={url}"), kill(idle_seconds=1))
    assert "wrong-password" not in told(failure)
    assert "127.0.0.1" not in failure.reason
    assert not failure.outcome_unknown


def test_a_server_that_is_not_there_may_be_asked_again():
    url = f"postgresql://u:p@127.0.0.1:{free_port()}/x"
    failure = failure_of(actions(REMEDIATION_DATABASES=f"stock={url}"), kill(idle_seconds=1))
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(postgresql_connections, "CONNECT_SECONDS", 2)  # the least that the driver knows
    with RawServer(lambda conversation: conversation.hold()) as silent:
        url = f"postgresql://u:p@127.0.0.1:{silent.port}/x"
        failure = failure_of(actions(REMEDIATION_DATABASES=f"stock={url}"), kill(idle_seconds=1))
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


def test_without_the_driver_it_says_what_to_install(known, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    failure = failure_of(known, kill(idle_seconds=1))
    assert failure.permanent
    assert "pip install 'alert-receiver[remediation]'" in failure.reason

"""mysql.kill_connections on the tests' own server: which connections go, which stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import pymysql
import pytest
from pymysql.constants import COMMAND
from sqlalchemy import make_url

from receiver.remediation.base import Action
from tests.builders.actions import actions, carry_out, failure_of, order
from tests.fakes.leaks import told
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port

if TYPE_CHECKING:  # generic in its annotations only
    Connection = pymysql.Connection[pymysql.cursors.Cursor]
Connect = Callable[[], "Connection"]
PASSWORD = "pw-of-the-app"


@pytest.fixture
def app(mysql_database_url: str, worker_id: str) -> Iterator[tuple[str, Connect]]:
    """An application's user, and a function that opens a connection as that user."""
    url, name = make_url(mysql_database_url), f"app_{worker_id}"
    with closing(connection(mysql_database_url)) as root, root.cursor() as cursor, ExitStack() as opened:
        cursor.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"GRANT ALL ON `{url.database}`.* TO '{name}'@'%'")

        def connect() -> Connection:
            made = connection(mysql_database_url, name, PASSWORD)
            opened.callback(close, made)
            return made

        yield name, connect
        opened.close()
        cursor.execute(f"DROP USER '{name}'@'%'")


def connection(text: str, user: str = "", password: str = "") -> Connection:
    url = make_url(text)
    return pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=user or url.username,
        password=password or url.password or "",
        connect_timeout=5,
        read_timeout=30,
        autocommit=True,
    )


def close(made: Connection) -> None:
    with suppress(pymysql.err.Error):
        made.close()


def known(url: str) -> dict[str, Action]:
    return actions(REMEDIATION_DATABASES=f"orders={url}")


def kill(user: str, **parameters: int):
    return order("mysql.kill_connections", {"database": "orders"}, user=user, **parameters)


def has_ended(made: Connection) -> bool:
    try:
        made.ping(reconnect=False)
    except pymysql.err.Error:
        return True
    return False


def is_idle_for(action: Action, wanted, count: int) -> None:
    """Waits until the server counts so many as idle: it counts whole seconds."""
    wait_until(lambda: len(action.plan(wanted).token or ()) == count, what=f"{count} connections are idle")


def test_idle_connections_of_the_user_end_and_busy_ones_stay(mysql_database_url, app):
    user, connect = app
    idle, other = connect(), connection(mysql_database_url)
    wanted, found = kill(user, idle_seconds=1), known(mysql_database_url)
    is_idle_for(found["mysql.kill_connections"], wanted, 1)
    plan = found["mysql.kill_connections"].plan(wanted)
    assert "end 1 of " in plan.text
    assert f"1 idle, 0 busy ({user} 1)" in plan.text
    assert not has_ended(other)
    busy = connect()
    result = found["mysql.kill_connections"].run(wanted, plan)
    assert result.to_state["ended"] == 1
    assert (has_ended(idle), has_ended(busy), has_ended(other)) == (True, False, False)
    close(other)


def test_a_connection_that_works_again_since_the_plan_stays(mysql_database_url, app):
    user, connect = app
    made = connect()
    wanted, found = kill(user, idle_seconds=1), known(mysql_database_url)["mysql.kill_connections"]
    is_idle_for(found, wanted, 1)
    plan = found.plan(wanted)
    made.ping(reconnect=False)  # it has done something: idle for no time now
    assert found.run(wanted, plan).to_state["ended"] == 0
    assert not has_ended(made)


def test_a_statement_that_runs_for_long_is_ended(mysql_database_url, app):
    user, connect = app
    made = connect()
    made._execute_command(COMMAND.COM_QUERY, "SELECT SLEEP(60)")  # its answer is not waited for
    wanted, found = kill(user, running_seconds=1), known(mysql_database_url)
    is_idle_for(found["mysql.kill_connections"], wanted, 1)
    assert carry_out(found, wanted).to_state["ended"] == 1


def test_no_more_are_ended_than_are_allowed_at_once(mysql_database_url, app):
    user, connect = app
    made = [connect() for _ in range(3)]
    found = known(mysql_database_url)
    is_idle_for(found["mysql.kill_connections"], kill(user, idle_seconds=1), 3)
    assert carry_out(found, kill(user, idle_seconds=1, most=2)).to_state["ended"] == 2
    assert sum(map(has_ended, made)) == 2


def test_where_there_is_none_nothing_is_done(mysql_database_url):
    result = carry_out(known(mysql_database_url), kill("nobody", idle_seconds=1))
    assert result.output == "no connection of mysql:orders is to be ended"


def test_a_wrong_password_is_told_and_neither_it_nor_the_address(mysql_database_url):
    url = make_url(mysql_database_url).set(password="wrong-password-of-the-app")
    failure = failure_of(known(url.render_as_string(hide_password=False)), kill("x", idle_seconds=1))
    assert failure.permanent
    assert "the database refuses it" in failure.reason
    assert "wrong-password" not in told(failure)


def test_a_server_that_is_not_there_may_be_asked_again():
    failure = failure_of(known(f"mysql://u:p@127.0.0.1:{free_port()}/x"), kill("x", idle_seconds=1))
    assert (failure.permanent, failure.outcome_unknown) == (False, False)
    assert "no connection to the database" in failure.reason


def test_one_of_the_ages_must_be_given(mysql_database_url):
    (problem,) = known(mysql_database_url)["mysql.kill_connections"].check(kill("x"))
    assert problem == "parameters: needs idle_seconds, running_seconds, or both"

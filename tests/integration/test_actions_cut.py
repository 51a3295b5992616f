"""A database that is lost in the middle of it: before the change nothing has happened, from then on nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from sqlalchemy import make_url

from receiver.remediation import mysql_connections, postgresql_connections, redis_prefix
from tests.builders.actions import actions, carry_out, failure_of, order
from tests.fakes.polling import wait_until
from tests.fakes.postgresql import PostgreSQL
from tests.fakes.redis_server import RedisServer
from tests.fakes.tripwire import Tripwire


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mysql_connections, redis_prefix):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(postgresql_connections, "TOTAL_SECONDS", 1)


def through(url: str, wire: Tripwire) -> dict[str, Any]:
    """The actions, with the database behind the relay."""
    return actions(
        REMEDIATION_DATABASES="it=" + make_url(url).set(port=wire.port).render_as_string(hide_password=False)
    )


HOW = pytest.mark.parametrize(
    "how",
    [{"delivered": True}, {"delivered": False}, {"silent": True}],
    ids=["answer-lost", "request-lost", "no-answer"],
)


@HOW
def test_postgresql_that_is_lost_while_connections_end_leaves_it_unknown(postgresql, how):
    wanted = order("postgresql.kill_connections", {"database": "it"}, idle_seconds=1)
    connection = postgresql.connect()
    try:
        direct = actions(REMEDIATION_DATABASES=f"it={postgresql.url}")
        wait_until(lambda: direct[wanted.action].plan(wanted).token, what="it is idle")
        with Tripwire(postgresql.port, b"pg_terminate_backend", **how) as wire:
            failure = failure_of(through(postgresql.url, wire), wanted)
    finally:
        connection.close()
    assert (failure.permanent, failure.outcome_unknown) == (False, True)


@HOW
def test_postgresql_that_is_lost_while_planning_may_be_asked_again(postgresql, how):
    wanted = order("postgresql.kill_connections", {"database": "it"}, idle_seconds=1)
    with Tripwire(postgresql.port, b"make_interval", **how) as wire:
        failure = failure_of(through(postgresql.url, wire), wanted)
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


@HOW
def test_mysql_that_is_lost_while_connections_end_leaves_it_unknown(mysql_database_url, how):
    url = make_url(mysql_database_url)
    victim = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=url.password or ""
    )
    wanted = order("mysql.kill_connections", {"database": "it"}, idle_seconds=1, most=500)
    try:
        direct = actions(REMEDIATION_DATABASES=f"it={mysql_database_url}")
        wait_until(
            lambda: victim.thread_id() in (direct[wanted.action].plan(wanted).token or ()), what="it is idle"
        )
        plan = direct[wanted.action].plan(wanted)
        chosen = type(plan)(plan.text, plan.from_state, plan.to_state, token=(victim.thread_id(),))
        with Tripwire(url.port or 3306, b"KILL CONNECTION", **how) as wire:
            action = through(mysql_database_url, wire)[wanted.action]
            action.plan = lambda _: chosen
            failure = failure_of({wanted.action: action}, wanted)
    finally:
        victim.close()
    assert (failure.permanent, failure.outcome_unknown) == (False, True)


@HOW
def test_mysql_that_is_lost_while_planning_may_be_asked_again(mysql_database_url, how):
    wanted = order("mysql.kill_connections", {"database": "it"}, idle_seconds=3600)
    with Tripwire(make_url(mysql_database_url).port or 3306, b"processlist", **how) as wire:
        failure = failure_of(through(mysql_database_url, wire), wanted)
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


@HOW
def test_redis_that_is_lost_while_keys_go_leaves_it_unknown(redis, how):
    with redis.client() as client:
        client.set("shop:1", "1")
    with Tripwire(redis.port, b"UNLINK", **how) as wire:
        failure = failure_of(
            through(redis.url, wire), order("redis.clear_prefix", {"database": "it"}, prefix="shop:")
        )
    assert (failure.permanent, failure.outcome_unknown) == (False, True)


@HOW
def test_redis_that_is_lost_while_planning_may_be_asked_again(redis, how):
    with Tripwire(redis.port, b"SCAN", **how) as wire:
        failure = failure_of(
            through(redis.url, wire), order("redis.clear_prefix", {"database": "it"}, prefix="shop:")
        )
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


def test_a_second_try_finishes_what_the_first_began(redis):
    wanted = order("redis.clear_prefix", {"database": "it"}, prefix="shop:")
    known = actions(REMEDIATION_DATABASES=f"it={redis.url}")
    with redis.client() as client:
        client.mset({"shop:1": "1", "shop:2": "1"})
        plan = known[wanted.action].plan(wanted)
        client.unlink("shop:1")
    assert known[wanted.action].run(wanted, plan).to_state == {"removed": 1}
    assert carry_out(known, wanted).output.startswith("there are no keys")

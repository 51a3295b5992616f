"""redis.clear_prefix on a real Redis: the keys with the prefix go, and no other."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from receiver.remediation import redis_prefix
from receiver.remediation.base import Action
from tests.builders.actions import actions, carry_out, failure_of, order
from tests.fakes.leaks import told
from tests.fakes.ports import free_port
from tests.fakes.raw_http import RawServer
from tests.fakes.redis_server import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def known(server: RedisServer) -> dict[str, Action]:
    with server.client() as client:
        client.flushdb()
    return actions(REMEDIATION_DATABASES=f"cache={server.url}")


def clear(prefix: str = "shop:", **parameters: int):
    return order("redis.clear_prefix", {"database": "cache"}, prefix=prefix, **parameters)


def fill(server: RedisServer, *keys: str) -> None:
    with server.client() as client:
        client.mset(dict.fromkeys(keys, "1"))


def keys(server: RedisServer) -> list[str]:
    with server.client() as client:
        return sorted(key.decode() for key in client.scan_iter())


def test_keys_with_the_prefix_go_and_no_other(server, known):
    fill(server, *(f"shop:{number}" for number in range(2500)), "shop", "shopping:1", "other:shop:1")
    result = carry_out(known, clear())
    assert keys(server) == ["other:shop:1", "shop", "shopping:1"]
    assert result.to_state == {"removed": 2500}


def test_signs_of_patterns_mean_themselves(server, known):
    fill(server, "a.c:1", "abc:1")
    carry_out(known, clear("a.c:"))
    assert keys(server) == ["abc:1"]


def test_planning_counts_and_removes_nothing(server, known):
    fill(server, "shop:1", "shop:2")
    plan = known["redis.clear_prefix"].plan(clear())
    assert plan.text == "remove 2 keys of redis:cache that begin with shop:"
    assert len(keys(server)) == 2


def test_more_keys_than_allowed_are_all_left(server, known):
    fill(server, "shop:1", "shop:2", "shop:3")
    failure = failure_of(known, clear(most=2))
    assert failure.permanent
    assert failure.reason == "there are more than 2 keys of redis:cache that begin with shop:"
    assert len(keys(server)) == 3


def test_where_there_is_none_nothing_is_done(known):
    assert carry_out(known, clear()).output == "there are no keys of redis:cache that begin with shop:"


def test_a_wrong_password_is_told_and_not_repeated(server):
    url = server.url.replace("redis://:", "redis://:wrong-password-")
    failure = failure_of(actions(REMEDIATION_DATABASES=f"cache={url}"), clear())
    assert failure.reason == "Redis does not accept the password"
    assert failure.permanent
    assert "wrong-password" not in told(failure)


def test_a_server_that_is_not_there_may_be_asked_again():
    failure = failure_of(actions(REMEDIATION_DATABASES=f"cache=redis://127.0.0.1:{free_port()}/0"), clear())
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(redis_prefix, "ANSWER_SECONDS", 0.2)
    with RawServer(lambda conversation: conversation.hold()) as silent:
        failure = failure_of(
            actions(REMEDIATION_DATABASES=f"cache=redis://127.0.0.1:{silent.port}/0"), clear()
        )
    assert (failure.permanent, failure.outcome_unknown) == (False, False)


def test_without_the_client_it_says_what_to_install(known, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    failure = failure_of(known, clear())
    assert failure.permanent
    assert "pip install 'alert-receiver[remediation]'" in failure.reason

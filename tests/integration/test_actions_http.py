"""http.call against real HTTP servers: what it sends, where it never goes, what its failures mean."""

from __future__ import annotations

import _socket
import json
import socket
from collections.abc import Iterator

import pytest

from receiver.httpclient import HttpClient
from receiver.remediation.base import Action
from tests.builders.actions import ACTION_ID, actions, carry_out, failure_of, order
from tests.fakes.slack import DROP, Answer, SlackServer, hang

LOCAL = {"REMEDIATION_HTTP_ALLOW": "127.0.0.0/8"}


@pytest.fixture
def server() -> Iterator[SlackServer]:
    """An HTTP server that records and answers as told: that it plays Slack does not matter here."""
    with SlackServer() as running:
        yield running


@pytest.fixture
def known() -> dict[str, Action]:
    return actions(HttpClient(read_timeout_seconds=1, total_timeout_seconds=2), **LOCAL)


@pytest.fixture
def literal_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's look-up, which the tests keep to this machine otherwise; for addresses it asks nobody."""
    monkeypatch.setattr(socket, "getaddrinfo", _socket.getaddrinfo)


def call(server: SlackServer, **parameters):
    return order("http.call", {"url": f"{server.base_url}/cache/flush?scope=all"}, **parameters)


def test_one_request_goes_out_with_its_body_and_the_id_of_the_action(server, known):
    server.answer(Answer(202, '{"accepted": true}'))
    result = carry_out(known, call(server, body={"service": "svc-a"}))
    (message,) = server.messages()
    assert (message.verb, message.path) == ("POST", "/cache/flush?scope=all")
    assert json.loads(message.raw) == {"service": "svc-a"}
    assert message.headers["Idempotency-Key"] == ACTION_ID
    assert (result.output, result.to_state) == ('HTTP 202 {"accepted": true}', {"status": 202})


def test_get_is_asked_for_without_a_body(server, known):
    carry_out(known, call(server, method="GET"))
    (message,) = server.messages()
    assert (message.verb, message.raw) == ("GET", b"")


def test_planning_sends_nothing(server, known):
    wanted = call(server)
    plan = known["http.call"].plan(wanted)
    assert plan.text == f"send POST {server.base_url}/cache/flush"
    assert server.messages() == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_an_address_of_this_machine_is_not_reached_unless_permitted(server, host, literal_lookup):
    port = server.base_url.rpartition(":")[2]
    failure = failure_of(actions(), order("http.call", {"url": f"http://{host}:{port}/"}))
    assert server.messages() == []
    assert failure.permanent
    assert not failure.outcome_unknown
    assert "RECEIVER_REMEDIATION_HTTP_ALLOW can permit its network" in failure.reason


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00::1]", "[fe80::1]"])
def test_a_permitted_network_permits_no_other(known, host, literal_lookup):
    failure = failure_of(known, order("http.call", {"url": f"http://{host}/latest/meta-data"}))
    assert failure.permanent
    assert "is not public" in failure.reason


def test_a_redirect_is_a_failure_and_is_not_followed(server, known):
    server.answer(Answer(302, "", {"Location": f"{server.base_url}/elsewhere"}))
    failure = failure_of(known, call(server))
    assert failure.permanent
    assert "redirects are not followed" in failure.reason
    assert len(server.messages()) == 1


@pytest.mark.parametrize(
    ("answer", "permanent", "unknown"),
    [
        (Answer(400), True, False),
        (Answer(403), True, False),
        (Answer(404), True, False),
        (Answer(422), True, False),
        (Answer(409), False, False),
        (Answer(429, headers={"Retry-After": "9"}), False, False),
        (Answer(503, headers={"Retry-After": "9"}), False, False),
        (Answer(500), False, True),
        (Answer(502), False, True),
        (Answer(504), False, True),
        (DROP, False, True),
        (hang(5), False, True),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) and not value.delay else None,
)
def test_a_failure_says_whether_it_may_have_happened(server, known, answer, permanent, unknown):
    server.answer(answer)
    failure = failure_of(known, call(server))
    assert (failure.permanent, failure.outcome_unknown) == (permanent, unknown)
    assert failure.retry_after_seconds == (9 if answer.headers else None)


def test_a_server_that_is_not_there_may_be_asked_again(server, known):
    server.stop()
    failure = failure_of(known, call(server))
    assert (failure.reason, failure.permanent, failure.outcome_unknown) == (
        "connection refused",
        False,
        False,
    )

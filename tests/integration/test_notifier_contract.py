"""What every channel promises: a message is sent once, or fails with the right decision in the error and no secret.

A new channel gets a Case. Each test runs for each of them, against a real HTTP server on 127.0.0.1.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.domain.notification import Notification, Template
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.notifiers.base import Notifier
from receiver.notifiers.registry import build_notifiers
from tests.fakes.leaks import assert_tells_nothing_of
from tests.fakes.ports import free_port
from tests.fakes.raw_http import Conversation, RawServer
from tests.fakes.slack import DROP, OK, PATH, Answer, SlackServer, hang

CLIENT = HttpClient(connect_timeout_seconds=1, read_timeout_seconds=0.4, total_timeout_seconds=5)
BOUNDED = HttpClient(connect_timeout_seconds=2, read_timeout_seconds=2, total_timeout_seconds=0.5)
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
FIRING = Notification(
    template=Template.OPENED,
    incident_id="INC-20261121030000-0123456789abcdef",
    number=4711,
    title="Größe of 日本 is over 9000 🔥",
    summary="It is.",
    status="active",
    severity="critical",
    priority="P0",
    service="checkout",
    cluster="prod-eu",
    namespace="shop",
    alert_count=3,
    firing_count=3,
    opened_at=NOW,
    last_seen_at=NOW,
    links={"runbook": "https://wiki.example/x"},
)
BY_TEMPLATE = {
    Template.OPENED: FIRING,
    Template.UPDATED: replace(FIRING, template=Template.UPDATED, changes=("2 more alerts",)),
    Template.RESOLVED: replace(FIRING, template=Template.RESOLVED, status="resolved", resolved_at=NOW),
    Template.TEST: replace(FIRING, template=Template.TEST),
}


@dataclass(frozen=True)
class Case:
    """A channel: the path of its address (with the secret), its settings for an address, and an answer that accepts."""

    path: str
    settings: Callable[[str], dict[str, Any]]
    taken: Answer


CASES = {"slack": Case(PATH, lambda url: {"slack_webhook_url": url}, OK)}


@pytest.fixture(params=sorted(CASES))
def channel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(channel: str) -> Case:
    return CASES[channel]


@pytest.fixture
def service(case: Case) -> Iterator[SlackServer]:
    """The other side: records and answers as it is told, at any path."""
    with SlackServer() as server:
        server.answer_always(case.taken)
        yield server


def notifier_at(base_url: str, channel: str, http: HttpClient = CLIENT) -> Notifier:
    case = CASES[channel]
    return build_notifiers(**case.settings(base_url + case.path), http=http)[channel]


def failure_at(
    base_url: str, channel: str, http: HttpClient = CLIENT, message: Notification = FIRING
) -> DeliveryFailed:
    """The failure of sending to `base_url`, after a look at what it would tell a log."""
    with pytest.raises(DeliveryFailed) as caught:
        notifier_at(base_url, channel, http).send(message)
    assert_tells_nothing_of(caught.value, base_url + CASES[channel].path)
    return caught.value


def test_every_registered_channel_is_tested_here():
    settings = [name for name in inspect.signature(build_notifiers).parameters if name != "http"]
    every = build_notifiers(**dict.fromkeys(settings, "http://127.0.0.1:1/x"), http=CLIENT)
    assert set(every) == set(CASES)


def test_a_channel_that_is_not_set_up_does_not_exist():
    settings = [name for name in inspect.signature(build_notifiers).parameters if name != "http"]
    assert build_notifiers(**dict.fromkeys(settings), http=CLIENT) == {}


def test_a_channel_has_its_registered_name(channel):
    assert notifier_at("http://127.0.0.1:1", channel).name == channel


@pytest.mark.parametrize("template", Template)
def test_each_occasion_is_one_request_with_a_receipt(channel, service, template):
    receipt = notifier_at(service.base_url, channel).send(BY_TEMPLATE[template])
    assert receipt.detail
    assert len(service.messages()) == 1


@pytest.mark.parametrize("template", [Template.OPENED, Template.UPDATED, Template.RESOLVED])
def test_a_message_names_its_incident_and_keeps_every_script(channel, service, template):
    notifier_at(service.base_url, channel).send(BY_TEMPLATE[template])
    body = str(service.messages()[0].json)
    assert "4711" in body
    assert "INC-20261121030000-0123456789abcdef" in body
    assert "Größe of 日本 is over 9000 🔥" in body


def test_one_notifier_serves_many_threads(channel, service):
    notifier = notifier_at(service.base_url, channel, HttpClient())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(notifier.send, [replace(FIRING, number=number) for number in range(100, 132)]))
    bodies = [str(message.json) for message in service.messages()]
    assert sorted(number for number in range(100, 132) for body in bodies if f"INC-{number}" in body) == list(
        range(100, 132)
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_a_refusal_is_permanent_and_not_repeated(channel, service, status):
    service.answer(Answer(status, "no_such_thing"))
    error = failure_at(service.base_url, channel)
    assert (error.permanent, error.outcome_unknown, error.http_status) == (True, False, status)
    assert "no_such_thing" in error.reason
    assert len(service.messages()) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_transient_and_left_to_the_queue(channel, service, status):
    service.answer(Answer(status, "later"))
    error = failure_at(service.base_url, channel)
    assert (error.permanent, error.http_status) == (False, status)
    assert len(service.messages()) == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("86400", 3600), ("soon", None)])
def test_a_wish_to_wait_is_handed_on(channel, service, header, seconds):
    service.answer(Answer(429, "rate_limited", {"Retry-After": header}))
    error = failure_at(service.base_url, channel)
    assert (error.permanent, error.retry_after_seconds) == (False, seconds)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused(channel, service, status):
    service.answer(Answer(status, "", {"Location": service.base_url + "/elsewhere"}))
    assert failure_at(service.base_url, channel).permanent
    assert len(service.messages()) == 1


def test_a_service_that_is_away_got_nothing(channel):
    error = failure_at(f"http://127.0.0.1:{free_port()}", channel)
    assert (error.permanent, error.outcome_unknown) == (False, False)


@pytest.mark.parametrize("answer", [hang(30), DROP], ids=["no answer", "cut after sending"])
def test_without_an_answer_the_outcome_is_open(channel, service, answer):
    service.answer(answer)
    error = failure_at(service.base_url, channel)
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_service_that_drips_holds_nobody_beyond_the_deadline(channel):
    def dripping(client: Conversation) -> None:
        client.read_request()
        client.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"o")

    with RawServer(dripping) as server:
        error = failure_at(f"http://127.0.0.1:{server.port}", channel, BOUNDED)
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_refusal_that_repeats_the_address_does_not_bring_it_into_the_error(channel, case, service):
    for text in (service.base_url + case.path, f"<p>POST {case.path}</p>", case.path.rpartition("/")[2]):
        service.answer(Answer(403, f"denied: {text}"))
        assert "denied" in failure_at(service.base_url, channel).reason


def test_nothing_of_the_address_is_logged(channel, case, service, caplog):
    service.answer(OK, Answer(500, "oops"), DROP)
    with caplog.at_level(logging.DEBUG):
        notifier_at(service.base_url, channel).send(FIRING)
        failure_at(service.base_url, channel)
        failure_at(service.base_url, channel)
    assert case.path not in caplog.text
    assert case.path.rpartition("/")[2] not in caplog.text


def test_the_object_does_not_show_its_secret(channel, case):
    notifier = notifier_at("http://127.0.0.1:1", channel)
    assert case.path not in repr(notifier) + str(notifier)

"""Apprise brings its own services; time limits, silence about addresses and decisions are ours."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator

import pytest

from receiver.config import load
from receiver.errors import DeliveryFailed, SettingsError
from receiver.httpclient import HttpClient
from receiver.notifiers import apprise
from receiver.notifiers.apprise import Apprise, failure_of_log
from receiver.notifiers.registry import build_notifiers, hearing
from tests.builders.notifications import FIRING
from tests.fakes.leaks import told
from tests.fakes.polling import wait_until
from tests.fakes.raw_http import RawServer
from tests.fakes.slack import Answer, SlackServer

LIMITS = (1.0, 1.0, 0.3)


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with SlackServer() as found:
        yield found


def channel(url: str, limits: tuple[float, float, float] = (2, 5, 10)) -> Apprise:
    return Apprise("team", url, limits)


def test_each_address_is_a_channel_of_its_name():
    settings = load({"RECEIVER_APPRISE_URLS": "teams=json://h.example/a, sms=xml://h.example/b"})
    found = build_notifiers(settings, HttpClient())
    assert list(found) == list(hearing(settings)) == ["teams", "sms"]
    assert [one.name for one in found.values()] == ["teams", "sms"]


def test_the_json_plug_in_gets_title_and_body(server):
    address = server.base_url.removeprefix("http://")
    receipt = channel(f"json://{address}/team").send(FIRING)
    (message,) = server.messages()
    assert message.json["title"] == "[P0] INC-4711 has opened: Größe of 日本 is over 9000 🔥"
    assert message.json["message"].startswith("It is.\n\nSeverity: critical · P0\n")
    assert receipt.detail == "JSON took it"


def test_another_plug_in_does_the_same_by_its_own_rules(server):
    server.answer_always(Answer(200, json.dumps({"id": "1"})))
    address = server.base_url.removeprefix("http://")
    receipt = channel(f"ntfy://{address}/alerts").send(FIRING)
    (message,) = server.messages()
    assert message.json["topic"] == "alerts"
    assert "INC-4711 has opened" in message.json["title"]
    assert receipt.detail == "ntfy took it"


@pytest.mark.parametrize(
    "url", ["nosuch://secret-token/x", "json://", "not an address", "tgram://bad-secret"]
)
def test_an_address_that_it_does_not_understand_is_permanent_and_not_told(url):
    with pytest.raises(DeliveryFailed) as caught:
        channel(url).send(FIRING)
    assert caught.value.permanent
    assert "team in RECEIVER_APPRISE_URLS" in caught.value.reason
    assert "secret" not in told(caught.value)


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(apprise, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'alert-receiver\[apprise\]'"):
        build_notifiers(load({"RECEIVER_APPRISE_URLS": "teams=json://h.example/a"}))


def test_it_is_loaded_only_by_who_sends():
    before = {name for name in sys.modules if name.startswith("apprise.plugins.")}
    build_notifiers(load({"RECEIVER_APPRISE_URLS": "teams=json://h.example/a"}))
    assert {name for name in sys.modules if name.startswith("apprise.plugins.")} == before


def test_a_service_that_never_ends_its_answers_is_left_alone_after_a_few_and_taken_up_again():
    with RawServer(lambda client: client.hold()) as silent:
        stuck = Apprise("team", f"json://127.0.0.1:{silent.port}/?rto=30", LIMITS)
        reasons = []
        for _ in range(6):
            with pytest.raises(DeliveryFailed) as caught:
                stuck.send(FIRING)
            reasons.append((caught.value.reason, caught.value.outcome_unknown))
    assert reasons[:4] == [("no complete answer within 0.3 s", True)] * 4
    assert reasons[4:] == [("earlier messages to this channel have not come to an end yet", False)] * 2
    wait_until(lambda: not [one for one in threading.enumerate() if one.name == "apprise"])
    with pytest.raises(DeliveryFailed, match="no connection"):
        stuck.send(FIRING)


@pytest.mark.parametrize(
    ("lines", "reason", "permanent", "unknown"),
    [
        (["Failed to send X: Not found., error=404."], "the service answered HTTP 404", True, False),
        (["error=429."], "the service answered HTTP 429", False, False),
        (["error=504.", "Response Details:\r\nb'slow'"], "the service answered HTTP 504: slow", False, True),
        (
            ["error=400.", "Response Details:\r\nb'gr\\xc3\\xb6\\xc3\\x9fe <t0ken-1>'"],
            "größe <[...]>",
            True,
            False,
        ),
        (
            ["A Connection error occurred", "Socket Exception: Connection refused"],
            "no connection",
            False,
            False,
        ),
        (["A Connection error occurred"], "the connection was cut", False, True),
        (["All went wrong at t0ken-1"], "does not say why", False, False),
        ([], "does not say why", False, False),
    ],
)
def test_what_a_plug_in_logs_decides_and_only_status_and_words_are_told(lines, reason, permanent, unknown):
    failure = failure_of_log(lines, ["t0ken-1"], (3, 10, 20))
    assert reason in failure.reason
    assert (failure.permanent, failure.outcome_unknown) == (permanent, unknown)
    assert "t0ken-1" not in failure.reason

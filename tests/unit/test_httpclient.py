"""The way out: bounded in time, without redirects, and silent about where it went."""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, Response, failure_of
from receiver.httpclient.response import LONGEST_BODY_BYTES, private_parts, retry_after
from tests.fakes.leaks import assert_tells_nothing_of, told
from tests.fakes.ports import free_port
from tests.fakes.raw_http import Conversation, RawServer
from tests.fakes.slack import Answer, SlackServer

SECRET = "secret-of-the-webhook"
NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
PATIENT = HttpClient()
HASTY = HttpClient(connect_timeout_seconds=0.3, read_timeout_seconds=0.3, total_timeout_seconds=5)
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def url_of(server: RawServer, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.port}/services/T000/B000/{SECRET}"


def failure(client: HttpClient, url: str, **options) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        client.post_json(url, {"text": "hello"}, **options)
    assert_tells_nothing_of(caught.value, url)
    return caught.value


def explain(response: Response) -> DeliveryFailed:
    found = failure_of(response)
    assert found is not None
    return found


# --- what is sent


def test_json_goes_out_as_utf8_with_our_name_on_it(slack: SlackServer):
    answer = PATIENT.post_json(slack.url, {"text": "größer 日本 🔥 \ud800"}, {"X-Extra": "1"})
    assert (answer.status, answer.text) == (200, "ok")
    [message] = slack.messages()
    assert message.json == {"text": "größer 日本 🔥 ?"}
    assert message.headers["Content-Type"] == "application/json; charset=utf-8"
    assert message.headers["User-Agent"].startswith("alert-receiver/")
    assert message.headers["Accept-Encoding"] == "identity"
    assert message.headers["X-Extra"] == "1"


def test_a_password_file_in_the_home_directory_is_not_used(slack: SlackServer, tmp_path: Path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password guess\n")
    monkeypatch.setenv("NETRC", str(netrc))
    PATIENT.post_json(slack.url, {})
    assert "Authorization" not in slack.messages()[0].headers


def test_credentials_in_the_address_are_used(slack: SlackServer):
    PATIENT.post_json(slack.url.replace("http://", "http://user:password@"), {})
    assert slack.messages()[0].headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZA=="


def test_loopback_is_reached_directly_although_a_proxy_is_set(slack: SlackServer, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert PATIENT.post_json(slack.url, {}).status == 200


def test_other_addresses_go_through_the_proxy_of_the_environment(monkeypatch):
    asked = []

    def proxy(client: Conversation) -> None:
        asked.append(client.read_request().split(b"\r\n")[0])
        client.send(OK_HEAD + b"Content-Length: 2\r\n\r\nok")

    with RawServer(proxy) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert PATIENT.post_json("http://slack.example/hook", {}).text == "ok"
    assert asked == [b"POST http://slack.example/hook HTTP/1.1"]


def test_a_proxy_that_is_away_is_named_as_the_cause(monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    error = failure(HASTY, f"https://slack.example/services/{SECRET}")
    assert "proxy" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, False)


# --- what an answer means


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_success(status):
    assert failure_of(Response(status, {}, "")) is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_transient(status):
    assert explain(Response(status, {}, "")).permanent is False


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422])
def test_what_will_not_change_is_permanent(status):
    error = explain(Response(status, {}, "", retry_after_seconds=5))
    assert error.permanent
    assert error.http_status == status
    assert error.retry_after_seconds is None


@pytest.mark.parametrize(
    ("status", "unknown"), [(500, False), (502, True), (503, False), (504, True), (429, False)]
)
def test_only_a_gateway_leaves_open_what_happened_behind_it(status, unknown):
    assert explain(Response(status, {}, "")).outcome_unknown is unknown


@pytest.mark.parametrize("status", [429, 503])
def test_the_wish_to_wait_is_passed_on(slack: SlackServer, status):
    slack.answer(Answer(status, "later", {"Retry-After": "7"}))
    assert failure(PATIENT, slack.url).retry_after_seconds == 7


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("30", 30),
        (" 30 ", 30),
        ("Sat, 21 Nov 2026 12:00:45 GMT", 45),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 21 Nov 2027 12:00:00 GMT", 3600),
        ("86400", 3600),
        ("9" * 400, 3600),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٣٠", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_an_hour_at_most(header, seconds):
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_no_retry_after_header_breaks_anything(header):
    seconds = retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= 3600


def test_the_reason_tells_what_the_other_side_said_in_200_printable_characters(slack: SlackServer):
    slack.answer(Answer(400, "invalid\x1b[31m\r\n payload\u202e " + "x" * 500))
    reason = failure(PATIENT, slack.url).reason
    assert reason.startswith("HTTP 400: invalid [31m payload x")
    assert reason.isprintable()
    assert len(reason) <= len("HTTP 400: ") + 200


def test_a_page_of_some_proxy_is_not_quoted(slack: SlackServer):
    slack.answer(Answer(503, "<!DOCTYPE html>\n<html><body>" + "sorry" * 100))
    assert failure(PATIENT, slack.url).reason == "HTTP 503: (a web page)"


def test_a_redirect_is_refused_and_not_followed(slack: SlackServer):
    slack.answer(Answer(302, "moved", {"Location": slack.url}))
    error = failure(PATIENT, slack.url)
    assert error.permanent
    assert "redirect" in error.reason
    assert len(slack.messages()) == 1


def test_the_body_of_a_redirect_is_read_no_further_than_any_other():
    def redirect(client: Conversation) -> None:
        client.read_request()
        client.flood(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", b"x" * 65536)

    with RawServer(redirect) as server:
        assert failure(PATIENT, url_of(server)).http_status == 302


def test_the_body_is_cut_to_64_kib():
    def endless(client: Conversation) -> None:
        client.read_request()
        client.flood(OK_HEAD + b"\r\n", b"x" * 65536)

    with RawServer(endless) as server:
        assert PATIENT.post_json(url_of(server), {}).text == "x" * LONGEST_BODY_BYTES


# --- what an answer may repeat of the request


@pytest.mark.parametrize(
    "said", ["{url}", "POST /services/T000/B000/{secret}", "no {secret}", "host {host}", "{upper}"]
)
def test_an_answer_that_repeats_the_address_is_quoted_without_it(slack: SlackServer, said):
    host = slack.base_url.removeprefix("http://")
    slack.answer(Answer(404, said.format(url=slack.url, secret=SECRET, upper=SECRET.upper(), host=host)))
    reason = failure(PATIENT, slack.url).reason
    assert SECRET not in reason.lower()
    assert "[...]" in reason


def test_an_answer_that_repeats_our_token_is_quoted_without_it(slack: SlackServer):
    slack.answer(
        Answer(401, "bad token xoxb-12345-abcdef, user hunter2hunter2, key k%2Fey%2F12345 or k/ey/12345")
    )
    url = slack.url.replace("http://", "http://user:hunter2hunter2@") + "?key=k%2Fey%2F12345"
    reason = failure(PATIENT, url, headers={"Authorization": "Bearer xoxb-12345-abcdef"}).reason
    assert "xoxb-12345" not in reason
    assert "hunter2" not in reason
    assert "12345" not in reason


@given(st.text(min_size=1))
def test_no_address_breaks_the_search_for_its_secrets(text):
    assert private_parts("https://" + text, {"X": text}) is not None


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_the_libraries_log_nothing_of_a_request(caplog, level):
    def broken_headers(client: Conversation) -> None:
        client.read_request()
        client.send(OK_HEAD + b"Broken\r\n: header\r\n\r\nok")

    with caplog.at_level(level), RawServer(broken_headers) as server:
        PATIENT.post_json(url_of(server), {})
        failure(PATIENT, f"http://127.0.0.1:{free_port()}/services/{SECRET}")
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "hooks.slack.example/x",
        "ftp://h/x",
        "http://?",
        "http://[",
        "https://[::1",
        "http://a b/",
        "http://h:99999/",
    ],
)
def test_an_unusable_address_is_permanent(url):
    with pytest.raises(DeliveryFailed) as caught:
        HASTY.post_json(url + SECRET, {})
    assert caught.value.permanent
    assert SECRET not in told(caught.value)


def test_a_header_that_cannot_be_sent_is_permanent_and_not_quoted(slack: SlackServer):
    error = failure(HASTY, slack.url, headers={"Authorization": "Bearer line\nbreak-token"})
    assert error.permanent
    assert "break-token" not in told(error)


def test_what_cannot_be_json_is_the_callers_mistake(slack: SlackServer):
    with pytest.raises(ValueError, match="JSON"):
        PATIENT.post_json(slack.url, {"x": float("nan")})
    assert not slack.messages()


def test_the_caller_may_judge_the_answer_otherwise(slack: SlackServer):
    with pytest.raises(DeliveryFailed, match="never good enough"):
        PATIENT.post_json(slack.url, {}, judge=lambda response: DeliveryFailed("never good enough"))
    slack.answer(Answer(404, "gone"))
    assert PATIENT.post_json(slack.url, {}, judge=lambda response: None).status == 404


def test_request_returns_every_status(slack: SlackServer):
    slack.answer(Answer(404, json.dumps({"error": "no"}), {"Retry-After": "3"}))
    answer = PATIENT.request("POST", slack.url, payload=[1])
    assert (answer.status, answer.text, answer.retry_after_seconds) == (404, '{"error": "no"}', 3)
    assert SECRET not in repr(answer)


def test_the_answer_to_head_has_no_body_to_wait_for():
    def answer(client: Conversation) -> None:
        client.read_request()
        client.send(OK_HEAD + b"Content-Length: 100\r\n\r\n")
        client.hold()

    with RawServer(answer) as server:
        assert PATIENT.request("HEAD", url_of(server)).status == 200

"""The Slack stand-in answers as it is told and keeps everything it got."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.fakes import slack as play
from tests.fakes.slack import SlackServer


def post(slack: SlackServer, text: str = "hello", timeout: float = 10) -> requests.Response:
    return requests.post(slack.url, json={"text": text}, timeout=timeout)


def test_a_message_is_answered_ok_and_kept(slack):
    answer = post(slack)
    assert (answer.status_code, answer.text) == (200, "ok")
    [message] = slack.messages()
    assert message.json == {"text": "hello"}
    assert message.path == play.PATH
    assert message.headers["Content-Type"] == "application/json"


def test_answers_follow_the_script_and_then_ok(slack):
    slack.answer(play.rate_limited(7), play.SERVER_ERROR, play.CHANNEL_NOT_FOUND, play.INVALID_PAYLOAD)
    answers = [post(slack) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 500, 404, 400, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert [answer.text for answer in answers[2:4]] == ["channel_not_found", "invalid_payload"]
    assert len(slack.messages()) == 5
    assert len(slack.delivered()) == 1


def test_it_can_refuse_for_good(slack):
    slack.answer_always(play.SERVER_ERROR)
    assert {post(slack).status_code for _ in range(3)} == {500}


def test_a_dropped_connection_was_recorded_all_the_same(slack):
    slack.answer(play.DROP)
    with pytest.raises(requests.ConnectionError):
        post(slack, "lost")
    [message] = slack.messages()
    assert (message.json, message.status) == ({"text": "lost"}, None)


def test_a_hanging_answer_outlasts_the_client_but_not_the_server():
    with SlackServer() as slack:
        slack.answer(play.hang(60))
        with pytest.raises(requests.ReadTimeout):
            post(slack, timeout=0.2)
        assert len(slack.wait_for(1)) == 1
        began = time.monotonic()
    assert time.monotonic() - began < 30


def test_many_at_once_are_all_kept(slack):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: post(slack, str(n)), range(100)))
    assert {message.json["text"] for message in slack.wait_for(100)} == {str(n) for n in range(100)}


def test_waiting_in_vain_says_how_many_came(slack):
    post(slack)
    with pytest.raises(AssertionError, match="1 of 2 messages"):
        slack.wait_for(2, timeout=0.05)


def test_a_stopped_server_takes_nothing(slack):
    slack.stop()
    with pytest.raises(requests.ConnectionError):
        post(slack)

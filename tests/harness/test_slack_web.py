"""The stand-in for Slack's Web API keeps messages, threads and metadata as Slack does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.fakes.slack import LOST
from tests.fakes.slack_web import CHANNEL, CHANNEL_NAME, TOKEN, SlackWeb, refusal, too_fast


@pytest.fixture
def web() -> Iterator[SlackWeb]:
    with SlackWeb() as server:
        yield server


def post(web: SlackWeb, method: str, token: str = TOKEN, **arguments: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{web.api_url}/{method}", json=arguments, headers=headers, timeout=10).json()


def get(web: SlackWeb, method: str, **arguments: str) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return requests.get(f"{web.api_url}/{method}", arguments, headers=headers, timeout=10).json()


def say(web: SlackWeb, text: str = "hello", **more: Any) -> Any:
    return post(web, "chat.postMessage", channel=CHANNEL, text=text, **more)


def test_a_message_is_kept_and_can_be_changed_without_losing_its_metadata(web):
    ts = say(web, metadata={"event_type": "x", "event_payload": {}})["ts"]
    assert post(web, "chat.update", channel=CHANNEL, ts=ts, text="bye")["ok"]
    (message,) = web.posted()
    assert (message["text"], message["metadata"]["event_type"]) == ("bye", "x")


def test_history_has_the_newest_first_in_pages_and_metadata_only_when_asked(web):
    for number in range(5):
        say(web, str(number), metadata={"event_type": "x"})
    first = get(web, "conversations.history", channel=CHANNEL, limit="3", include_all_metadata="true")
    assert [one["text"] for one in first["messages"]] == ["4", "3", "2"]
    assert first["messages"][0]["metadata"] == {"event_type": "x"}
    cursor = first["response_metadata"]["next_cursor"]
    second = get(web, "conversations.history", channel=CHANNEL, limit="3", cursor=cursor)
    assert [(one["text"], "metadata" in one) for one in second["messages"]] == [("1", False), ("0", False)]
    assert second["response_metadata"]["next_cursor"] == ""


def test_a_thread_has_its_first_message_and_its_replies_and_the_channel_only_the_broadcast_ones(web):
    root = say(web, "root")["ts"]
    say(web, "quiet", thread_ts=root)
    say(web, "loud", thread_ts=root, reply_broadcast=True)
    replies = get(web, "conversations.replies", channel=CHANNEL, ts=root)["messages"]
    assert [one["text"] for one in replies] == ["root", "quiet", "loud"]
    history = get(web, "conversations.history", channel=CHANNEL)["messages"]
    assert [one["text"] for one in history] == ["loud", "root"]


@pytest.mark.parametrize(
    ("method", "arguments", "word"),
    [
        ("chat.postMessage", {"channel": "C0NOWHERE00", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": CHANNEL}, "no_text"),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ("chat.update", {"channel": CHANNEL, "ts": "1.0", "text": "x"}, "message_not_found"),
        ("chat.nothing", {}, "unknown_method"),
    ],
)
def test_what_cannot_be_done_is_refused_in_slacks_words(web, method, arguments, word):
    assert post(web, method, **arguments) == {"ok": False, "error": word}


def test_only_its_token_is_let_in_and_a_name_means_its_channel(web):
    assert post(web, "auth.test", token="another")["error"] == "invalid_auth"
    assert post(web, "auth.test")["ok"]
    assert post(web, "chat.postMessage", channel=CHANNEL_NAME, text="x")["channel"] == CHANNEL
    assert get(web, "conversations.history", channel=CHANNEL_NAME)["error"] == "channel_not_found"


def test_answers_follow_the_script_of_their_method(web):
    web.answer_to("chat.postMessage", refusal("not_in_channel"), too_fast(3))
    assert post(web, "auth.test")["ok"]
    assert [say(web)["error"], say(web)["error"], say(web)["ok"]] == ["not_in_channel", "ratelimited", True]


def test_an_answer_can_get_lost_after_the_deed(web):
    web.answer_to("chat.postMessage", LOST)
    with pytest.raises(requests.ConnectionError):
        say(web, "lost")
    assert [one["text"] for one in web.posted()] == ["lost"]

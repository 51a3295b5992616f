"""Slack's Web API, played by an HTTP server on 127.0.0.1: channels that keep their messages, threads and metadata.

https://docs.slack.dev/reference/methods/chat.postMessage, chat.update, conversations.history, conversations.replies
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.slack import OK, Answer, Message, SlackServer

TOKEN = "xoxb-0000-secret-of-the-bot"
CHANNEL, CHANNEL_NAME = "C0ALERTS001", "#alerts"
OTHER_CHANNEL = "C0DBALERTS1"
PREFIX = "/api/"


def refusal(word: str, **more: Any) -> Answer:
    """What Slack says when it does not do what was asked: 200, and a word."""
    return Answer(200, json.dumps({"ok": False, "error": word} | more))


def too_fast(retry_after: int) -> Answer:
    """429, which asks for `retry_after` seconds of silence."""
    body = json.dumps({"ok": False, "error": "ratelimited"})
    return Answer(429, body, {"Retry-After": str(retry_after)})


class SlackWeb(SlackServer):
    """The server. Scripted answers (`answer`) go to whatever request comes next, `answer_to` to those of one method."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._count = 0
        self._by_method: dict[str, list[Answer]] = {}
        self.channels: dict[str, list[dict[str, Any]]] = {CHANNEL: [], OTHER_CHANNEL: []}
        super().__init__()

    @property
    def api_url(self) -> str:
        """What a user would put into RECEIVER_SLACK_API_URL."""
        return self.base_url + PREFIX.rstrip("/")

    def answer_to(self, method: str, *answers: Answer) -> None:
        """The next requests of this method get these answers, one each; those after them are done as usual."""
        with self._changed:
            self._by_method.setdefault(method, []).extend(answers)

    def calls(self, method: str = "chat.") -> list[Message]:
        """The requests of the methods whose names begin so."""
        return [one for one in self.messages() if one.path.startswith(PREFIX + method)]

    def posted(self, channel: str = CHANNEL, *, threads: bool = True) -> list[dict[str, Any]]:
        """The messages of a channel as they stand now, oldest first, with the replies or without."""
        with self._changed:
            return [one for one in self.channels[channel] if threads or not is_reply(one)]

    def replies(self, channel: str = CHANNEL) -> list[dict[str, Any]]:
        """Those that stand in a thread."""
        return [one for one in self.posted(channel) if is_reply(one)]

    def chatter(self, count: int, channel: str = CHANNEL) -> None:
        """People write so many messages."""
        with self._changed:
            for _ in range(count):
                self.channels[channel].append({"type": "message", "ts": self._ts(), "text": "hm"})

    def _answer_to(self, verb: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        method = urlsplit(path).path.removeprefix(PREFIX)
        waiting = self._by_method.get(method) or self._script
        scripted = None
        if waiting:
            scripted = waiting.pop(0) if isinstance(waiting, list) else waiting.popleft()
        elif self._otherwise is not OK:
            scripted = self._otherwise
        if scripted is not None and not scripted.stored:
            return scripted
        done = self._do(method, verb, path, headers, raw)
        return scripted or Answer(200, json.dumps(done))

    def _do(
        self, method: str, verb: str, path: str, headers: Mapping[str, str], raw: bytes
    ) -> dict[str, Any]:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth")
        arguments = json.loads(raw) if verb == "POST" else dict(parse_qsl(urlsplit(path).query))
        methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        act = methods.get(method)
        return act(arguments) if act else _no("unknown_method")

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "user": "receiver", "team": "Example", "user_id": "U0BOT", "bot_id": "B0BOT"}

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        asked = arguments.pop("channel", "")
        channel = CHANNEL if asked == CHANNEL_NAME else asked
        if channel not in self.channels:
            return _no("channel_not_found")
        if not arguments.get("text") and not arguments.get("blocks"):
            return _no("no_text")
        thread = arguments.get("thread_ts")
        if thread and self._find(channel, thread) is None:
            return _no("thread_not_found")
        message = {"type": "message", "ts": self._ts(), "bot_id": "B0BOT"} | arguments
        self.channels[channel].append(message)
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": message}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._find(arguments.pop("channel"), arguments.pop("ts"))
        if message is None:
            return _no("message_not_found")
        message.update(arguments, edited={"user": "U0BOT", "ts": self._ts()})
        return {"ok": True, "ts": message["ts"], "text": message["text"]}

    def _history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = arguments["channel"]
        if channel not in self.channels:
            return _no("channel_not_found")
        seen = [one for one in self.channels[channel] if not is_reply(one) or one.get("reply_broadcast")]
        return _page(seen[::-1], arguments)

    def _replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel, ts = arguments["channel"], arguments["ts"]
        if self._find(channel, ts) is None:
            return _no("thread_not_found")
        return _page(
            [one for one in self.channels[channel] if ts in (one["ts"], one.get("thread_ts"))], arguments
        )

    def _find(self, channel: str, ts: str) -> dict[str, Any] | None:
        return next((one for one in self.channels.get(channel, []) if one["ts"] == ts), None)

    def _ts(self) -> str:
        self._count += 1
        return f"{int(self._clock())}.{self._count:06d}"


def is_reply(message: Mapping[str, Any]) -> bool:
    """Whether a message stands in another one's thread."""
    return bool(message.get("thread_ts")) and message["thread_ts"] != message["ts"]


def _page(messages: list[dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    oldest, limit = float(arguments.get("oldest", 0)), int(arguments.get("limit", 100))
    start = int(arguments.get("cursor", 0))
    found = [one for one in messages if float(one["ts"]) > oldest]
    shown = found[start : start + limit]
    if arguments.get("include_all_metadata") != "true":
        shown = [{name: value for name, value in one.items() if name != "metadata"} for one in shown]
    following = str(start + limit) if start + limit < len(found) else ""
    return {"ok": True, "messages": shown, "response_metadata": {"next_cursor": following}}


def _no(word: str) -> dict[str, Any]:
    return {"ok": False, "error": word}

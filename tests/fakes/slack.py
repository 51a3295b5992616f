"""Slack's incoming webhooks, played by an HTTP server on 127.0.0.1: it records, and answers as it is told.

What Slack answers: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PATH = "/services/T00000000/B00000000/secret-of-the-webhook"


@dataclass(frozen=True)
class Answer:
    """One answer after `delay` seconds: a status with a body, or, with `drop`, the connection is closed.

    `stored`: before that the Web API does what was asked.
    """

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    drop: bool = False
    stored: bool = False  # the Web API does what was asked all the same


OK = Answer()
SERVER_ERROR = Answer(500, "internal_error")
CHANNEL_NOT_FOUND = Answer(404, "channel_not_found")
INVALID_PAYLOAD = Answer(400, "invalid_payload")
DROP = Answer(drop=True)
LOST = Answer(drop=True, stored=True)


def rate_limited(retry_after: int) -> Answer:
    """429, which asks for `retry_after` seconds of silence."""
    return Answer(429, "rate_limited", {"Retry-After": str(retry_after)})


def hang(seconds: float) -> Answer:
    """Nothing for `seconds`, then ok; a client with a shorter timeout has gone by then."""
    return Answer(delay=seconds)


@dataclass(frozen=True)
class Message:
    """One request as it arrived, and the status it is given (None: none, the connection is closed)."""

    path: str
    headers: Mapping[str, str]
    raw: bytes
    received_at: float  # time.monotonic(), seconds
    status: int | None
    verb: str = "POST"

    @property
    def json(self) -> Any:
        """The body as JSON; ValueError if it is none."""
        return json.loads(self.raw)


class SlackServer:
    """The server; runs from construction to stop(). Everything here may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._script: deque[Answer] = deque()
        self._otherwise = OK
        self._stopping = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """http://127.0.0.1:port, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """What a user would put into RECEIVER_SLACK_WEBHOOK_URL."""
        return self.base_url + PATH

    def answer(self, *answers: Answer) -> None:
        """The next requests get these answers, one each in this order; those after them get ok again."""
        with self._changed:
            self._script.extend(answers)

    def answer_always(self, answer: Answer) -> None:
        """From now on every request gets this answer; scripted ones are forgotten."""
        with self._changed:
            self._script.clear()
            self._otherwise = answer

    def messages(self) -> list[Message]:
        """All requests so far, in the order in which they arrived, the refused ones included."""
        with self._changed:
            return list(self._messages)

    def delivered(self) -> list[Message]:
        """The requests that were answered 200."""
        return [message for message in self.messages() if message.status == 200]

    def wait_for(self, count: int, timeout: float = 10) -> list[Message]:
        """The requests, as soon as there are at least `count`; AssertionError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) >= count, timeout):
                got = len(self._messages)
                raise AssertionError(f"{got} of {count} messages arrived within {timeout:g} s")
            return list(self._messages)

    def stop(self) -> None:
        """Closes the port; whoever still hangs on an answer loses the connection. May be called again."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, verb: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """Records a request and chooses its answer, in one step, so that both have the same order."""
        with self._changed:
            answer = self._answer_to(verb, path, headers, raw)
            status = None if answer.drop else answer.status
            self._messages.append(Message(path, headers, raw, time.monotonic(), status, verb))
            self._changed.notify_all()
            return answer

    def _answer_to(self, verb: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """The next answer of the script. The lock is held."""
        return self._script.popleft() if self._script else self._otherwise

    def _wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a handler that hangs must not hold stop() back
    request_queue_size = 128

    def __init__(self, slack: SlackServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.slack = slack

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        raw = self.rfile.read(length)
        if len(raw) < length:  # the sender died in the middle of it: that is no message
            self.close_connection = True
            return
        answer = self.server.slack._take(self.command, self.path, dict(self.headers), raw)
        self.server.slack._wait(answer.delay)
        self.close_connection = answer.drop
        if not answer.drop:
            self._reply(answer)

    def _reply(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the requests are recorded."""

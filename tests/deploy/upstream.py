"""A stand-in for the receiver behind nginx: records each request that arrives, and answers what it was told to."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Seen:
    """A request as it arrived. `connection` is the same for requests that came over one connection."""

    method: str
    path: str
    headers: Message
    body: bytes
    connection: int


@dataclass(frozen=True)
class Answer:
    """What to answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


class Upstream:
    """An HTTP server on 127.0.0.1. `seen` has the complete requests; `begun` counts those whose headers arrived."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.begun = 0
        self.answer = Answer()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True  # kept-open connections must not hold up the end of the test
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops listening. May be called again."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            upstream.begun += 1
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            upstream.seen.append(Seen(self.command, self.path, self.headers, body, self.client_address[1]))
            answer = upstream.answer
            self.send_response(answer.status)
            for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = handle_request  # noqa: N815  # http.server asks for these names

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler

"""A connection on which each request must arrive within a deadline: what gunicorn's worker reads from.

A limit for each read lets a sender that drips a byte every few seconds hold a connection for ever; this one is for all.
"""

from __future__ import annotations

import time
from errno import ECONNRESET
from typing import Any

from gevent.socket import socket

# Head and body together, from the first byte of the head.
REQUEST_SECONDS = 10.0
# Who does not read the answer for so long is gone.
ANSWER_SECONDS = 30.0
_TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    b"Content-Length: 96\r\n\r\n"
    b'{"type":"/problems/request-timeout","title":"Request timeout","status":408,"detail":"too slow"}\n'
)


class PacedSocket:
    """`client`, for gunicorn, with a deadline for what is read from it. Everything else is the client's.

    `idle_seconds`: how long it waits for the first byte of a request.
    """

    def __init__(self, client: socket, idle_seconds: float) -> None:
        self._client = client
        self._idle_seconds = idle_seconds
        self._silence: float | None = None
        self._deadline = 0.0
        self._has_begun = False
        self._is_late = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def await_request(self) -> None:
        """From here on what comes belongs to another request."""
        self._has_begun = False
        self._deadline = time.monotonic() + self._idle_seconds

    def settimeout(self, seconds: float | None) -> None:
        """How long one read may take, within the deadline."""
        self._silence = seconds

    def gettimeout(self) -> float | None:
        """What settimeout was told."""
        return self._silence

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Up to `size` bytes. Raises TimeoutError at the deadline, and ever after: the rest is of no use."""
        left = 0.0 if self._is_late else self._deadline - time.monotonic()
        wait = left if self._silence is None else min(left, self._silence)
        try:
            if wait <= 0:
                raise TimeoutError("the request came too slowly")
            self._client.settimeout(wait)
            data: bytes = self._client.recv(size, flags)
        except TimeoutError:
            self._is_late = True
            raise
        if not self._has_begun:
            self._has_begun = True
            self._deadline = time.monotonic() + REQUEST_SECONDS
        return data

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send all of `data`; a client that does not read counts as one that is gone."""
        self._client.settimeout(ANSWER_SECONDS)
        try:
            self._client.sendall(data, flags)
        except TimeoutError:
            raise ConnectionResetError(ECONNRESET, "the client does not read the answer") from None

    def refuse_late_head(self) -> None:
        """Say 408, where a request had begun: one that only waited is closed without a word."""
        if not self._has_begun:
            return
        try:
            self._client.settimeout(1.0)
            self._client.sendall(_TOO_LATE)
        except OSError:
            return  # it is gone

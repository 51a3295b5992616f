"""A connection on which each request must arrive within a deadline: what gunicorn's worker reads from.

A limit for each read lets a sender that drips a byte every few seconds hold a connection for ever; this one is for all.
"""

from __future__ import annotations

import time
from errno import EBADF, ECONNRESET
from typing import Any

from gevent.socket import SHUT_WR, socket

from receiver.cli.unread_request import TOO_LATE

# Head and body together, from the first byte of the head.
REQUEST_SECONDS = 10.0
# Who does not read the answer for so long is gone.
ANSWER_SECONDS = 30.0
# How long, and how much of, what still comes after the last answer is read and forgotten: see `close`.
LINGER_SECONDS = 2.0
LINGER_BYTES = 32 * 1024 * 1024
_LINGER_PIECE_BYTES = 64 * 1024


class PacedSocket:
    """`client`, for gunicorn, with a deadline for what is read from it. Everything else is the client's.

    `idle_seconds`: how long it waits for the first byte of a request.
    """

    def __init__(self, client: socket, idle_seconds: float) -> None:
        self._client = client
        self._longest_idle_seconds = idle_seconds
        self._silence: float | None = None
        self._deadline = 0.0
        self._has_begun = False
        self._is_late = False
        self._has_ended = False
        self._is_closed = False
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def await_request(self) -> None:
        """From here on what comes belongs to another request."""
        self._flush()
        self._has_begun = False
        self._deadline = time.monotonic() + self._longest_idle_seconds

    @property
    def idle_seconds(self) -> float:
        """How long it has waited for the first byte of a request; 0 once that has come."""
        return 0.0 if self._has_begun else self._longest_idle_seconds - (self._deadline - time.monotonic())

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
            data = self._received(size, flags)
        except TimeoutError:
            self._is_late = True
            raise
        if not data:
            self._has_ended = True
        elif not self._has_begun:
            self._has_begun = True
            self._deadline = time.monotonic() + REQUEST_SECONDS
        return data

    def _received(self, size: int, flags: int) -> bytes:
        try:
            data: bytes = self._client.recv(size, flags)
        except OSError as error:
            if error.errno != EBADF:
                raise
            # gevent's way to wake who waits when another greenlet has ended the reading: what had come is still there.
            data = self._client.recv(size, flags)
        return data

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send all of `data`; a client that does not read counts as one that is gone.

        gunicorn sends an answer's head and body one after the other. The head waits for the body here, at the latest
        until the next request is awaited: each packet costs both sides as much as a tenth of a webhook.
        """
        if data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n"):
            self._flush()
            self._head = data
        else:
            head, self._head = self._head, b""
            self._send_now(head + data, flags)

    def _flush(self) -> None:
        """Send a head that no body has followed."""
        head, self._head = self._head, b""
        if head:
            self._send_now(head)

    def _send_now(self, data: bytes, flags: int = 0) -> None:
        self._client.settimeout(ANSWER_SECONDS)
        try:
            sent = self._client.send(data, flags)  # nearly always all of it, and sendall asks the kernel more
            if sent < len(data):
                self._client.sendall(memoryview(data)[sent:], flags)
        except TimeoutError:
            raise ConnectionResetError(ECONNRESET, "the client does not read the answer") from None

    def close(self) -> None:
        """Close, so that the last answer arrives.

        A kernel that has unread bytes at the close, or gets more of them after it, resets the connection, and the
        client may then lose an answer that it had not read yet. So: say that nothing more is sent, and read what still
        comes until the client ends it too, within bounds (what nginx calls lingering_close).
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._flush()
            if self._has_begun and not self._has_ended:
                self._linger()
        finally:
            self._client.close()

    def _linger(self) -> None:
        deadline, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
        try:
            self._client.shutdown(SHUT_WR)
            while left > 0 and (seconds := deadline - time.monotonic()) > 0:
                self._client.settimeout(seconds)
                piece = self._client.recv(_LINGER_PIECE_BYTES)
                if not piece:
                    return
                left -= len(piece)
        except OSError:
            return  # it is gone, or too slow

    def refuse_late_head(self) -> None:
        """Say 408, where a request had begun: one that only waited is closed without a word."""
        if not self._has_begun:
            return
        self.say_last(TOO_LATE.answer())

    def say_last(self, answer: bytes) -> None:
        """Send what is little enough to go out at once, if the client still reads."""
        try:
            self._client.settimeout(1.0)
            self._client.sendall(answer)
        except OSError:
            return  # it is gone

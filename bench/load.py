"""The load: a closed loop over keep-alive connections, each sending its next request when its answer has come; or a
fixed number of requests a second.

One thread and one selector: load, receiver and database share the same cores, so the load must take as little of them
as it can. It reads of an answer only what it needs: the status, and where it ends.
"""

from __future__ import annotations

import gc
import re
import selectors
import socket
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench.bodies import Requests

_SILENCE_SECONDS = 30.0
_RECEIVE_BYTES = 256 * 1024
_OK = 200
_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search
_closes = re.compile(rb"\r\nconnection: *close", re.IGNORECASE).search


class LoadFailed(Exception):
    """An answer was not the one expected, or did not come: there is nothing to measure."""


@dataclass(slots=True)
class Driven:
    """What became of one stretch of load. Every request was answered as expected."""

    seconds: float  # from the first request to the last answer
    cpu_seconds: float  # of the load itself
    # Acknowledged, in the order of their answers; and in that order nanoseconds, and time.monotonic() (of paced load).
    serials: array[int] = field(default_factory=lambda: array("q"))
    latencies: array[int] = field(default_factory=lambda: array("q"))
    answered_at: array[float] = field(default_factory=lambda: array("d"))


@contextmanager
def _without_pauses() -> Iterator[None]:
    """Without garbage collection: a pause of ours would be seen as the receiver's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Connection:
    __slots__ = (
        *("_address", "_selector", "_start", "_is_over", "due", "received"),
        *("sent_at", "serial", "socket", "status"),
    )

    def __init__(self, address: tuple[str, int], status: int, selector: selectors.BaseSelector) -> None:
        self._address = address
        self._selector = selector
        self._start = b"HTTP/1.1 %d " % status
        self.status = status
        self.received = b""
        self.serial = 0
        self.sent_at = 0
        self.due = 0.0
        self._open()

    def send(self, serial: int, request: bytes) -> None:
        """Send a request; its latency counts from here, a new connection included where the last answer closed it.

        Raises LoadFailed.
        """
        self.serial = serial
        self.sent_at = time.perf_counter_ns()
        try:
            if self._is_over:
                self._open()
            self.socket.sendall(request)
        except OSError as error:
            raise LoadFailed(f"the request could not be sent: {error}") from None

    def is_answered(self) -> bool:
        """Take what has arrived; whether that completes an answer. Raises LoadFailed for an unexpected one."""
        try:
            piece = self.socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise LoadFailed(f"the connection broke before its answer came: {error}") from None
        if not piece:
            raise LoadFailed(f"the receiver hung up in the middle of an answer: {self.received[:300]!r}")
        self.received += piece
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        length = _length(self.received, 0, head_end)
        if not self.received.startswith(self._start) or length is None:
            wanted = f"expected {self.status} with a Content-Length"
            raise LoadFailed(f"{wanted}, got: {self.received[:600]!r}")
        missing = head_end + 4 + int(length[1]) - len(self.received)
        if missing < 0:
            raise LoadFailed("the receiver sent more than its answer")
        if missing:
            return False
        self._is_over = _closes(self.received, 0, head_end + 2) is not None
        if self._is_over:  # else the end of the stream would be taken for one in the middle of an answer
            self._selector.unregister(self.socket)
            self.socket.close()
        self.received = b""
        return True

    def _open(self) -> None:
        self.socket = socket.create_connection(self._address, timeout=_SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self.socket, selectors.EVENT_READ, self)
        self._is_over = False


class Load:
    """Connections to the server at `address`, which answers `status`. Use it as a context manager."""

    def __init__(self, address: tuple[str, int], connections: int, *, status: int = _OK) -> None:
        self._selector = selectors.DefaultSelector()
        self._connections = [_Connection(address, status, self._selector) for _ in range(connections)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()
        for connection in self._connections:
            connection.socket.close()

    def drive(self, requests: Requests, serials: Iterator[int], seconds: float) -> Driven:
        """Send for that many seconds, or until there are no more serial numbers, then wait for the answers still due.

        Raises LoadFailed, OSError.
        """
        with _without_pauses():
            return self._drive(requests, serials, seconds)

    def drive_paced(
        self, requests: Requests, serials: Iterator[int], seconds: float, per_second: float
    ) -> Driven:
        """Send that many a second; a latency counts from the moment at which the request was due.

        So a request that had to wait for a free connection counts with its wait. Raises LoadFailed, OSError.
        """
        with _without_pauses():
            return self._drive_paced(requests, serials, seconds, per_second)

    def _drive_paced(
        self, requests: Requests, serials: Iterator[int], seconds: float, per_second: float
    ) -> Driven:
        idle = list(self._connections)
        driven = Driven(0.0, time.process_time())
        started, sent, wanted = time.monotonic(), 0, int(seconds * per_second)
        while len(driven.serials) < wanted:
            due = started + sent / per_second
            is_due = sent < wanted and time.monotonic() >= due
            if is_due and idle:
                serial, connection = next(serials), idle.pop()
                connection.send(serial, requests.make(serial))
                connection.due = due
                sent += 1
                continue
            only_answers = is_due or sent == wanted
            ready = self._selector.select(
                _SILENCE_SECONDS if only_answers else max(0.0, due - time.monotonic())
            )
            if only_answers and not ready:
                raise LoadFailed(f"no answer for {_SILENCE_SECONDS:.0f} seconds")
            for connection in (key.data for key, _ in ready):
                if connection.is_answered():
                    driven.serials.append(connection.serial)
                    driven.answered_at.append(time.monotonic())
                    driven.latencies.append(int((driven.answered_at[-1] - connection.due) * 1e9))
                    idle.append(connection)
        driven.seconds = time.monotonic() - started
        driven.cpu_seconds = time.process_time() - driven.cpu_seconds
        return driven

    def _drive(self, requests: Requests, serials: Iterator[int], seconds: float) -> Driven:
        driven = Driven(0.0, time.process_time())
        started = time.perf_counter_ns()
        until = started + int(seconds * 1e9)
        outstanding = 0
        for connection, serial in zip(self._connections, serials, strict=False):
            connection.send(serial, requests.make(serial))
            outstanding += 1
        now = started
        while outstanding:
            ready = self._selector.select(_SILENCE_SECONDS)
            if not ready:
                raise LoadFailed(f"no answer for {_SILENCE_SECONDS:.0f} seconds")
            for key, _ in ready:
                connection = key.data
                if not connection.is_answered():
                    continue
                now = time.perf_counter_ns()
                driven.latencies.append(now - connection.sent_at)
                driven.serials.append(connection.serial)
                following = next(serials, None) if now < until else None
                if following is None:
                    outstanding -= 1
                else:
                    connection.send(following, requests.make(following))
        driven.seconds = (now - started) / 1e9
        driven.cpu_seconds = time.process_time() - driven.cpu_seconds
        return driven

"""The load: a closed loop over keep-alive connections, each sending its next request when its answer has come.

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
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench.bodies import Requests

_SILENCE_SECONDS = 30.0
_RECEIVE_BYTES = 256 * 1024
_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search


class LoadFailed(Exception):
    """An answer was not 200, or did not come: there is nothing to measure."""


@dataclass(slots=True)
class Driven:
    """What became of one stretch of load. Every request was answered 200."""

    seconds: float  # from the first request to the last answer
    cpu_seconds: float  # of the load itself
    serials: array[int] = field(
        default_factory=lambda: array("q")
    )  # acknowledged, in the order of their answers
    latencies: array[int] = field(default_factory=lambda: array("q"))  # nanoseconds, in the same order


class _Connection:
    __slots__ = ("received", "sent_at", "serial", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.serial = 0
        self.sent_at = 0

    def send(self, serial: int, request: bytes) -> None:
        self.serial = serial
        self.sent_at = time.perf_counter_ns()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Take what has arrived; whether that completes an answer. Raises LoadFailed for any but 200."""
        piece = self.socket.recv(_RECEIVE_BYTES)
        if not piece:
            raise LoadFailed(f"the receiver hung up in the middle of an answer: {self.received[:300]!r}")
        self.received += piece
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        length = _length(self.received, 0, head_end)
        if not self.received.startswith(b"HTTP/1.1 200 ") or length is None:
            raise LoadFailed(f"expected 200 with a Content-Length, got: {self.received[:600]!r}")
        missing = head_end + 4 + int(length[1]) - len(self.received)
        if missing < 0:
            raise LoadFailed("the receiver sent more than its answer")
        if missing:
            return False
        self.received = b""
        return True


class Load:
    """Connections to the receiver at `address`. Use it as a context manager."""

    def __init__(self, address: tuple[str, int], connections: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._connections = [_Connection(address) for _ in range(connections)]
        for connection in self._connections:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()
        for connection in self._connections:
            connection.socket.close()

    def drive(self, requests: Requests, serials: Iterator[int], seconds: float) -> Driven:
        """Send for that many seconds, then wait for the answers that are still due. Raises LoadFailed, OSError."""
        gc.collect()
        gc.disable()  # a pause of ours would be seen as the receiver's
        try:
            return self._drive(requests, serials, seconds)
        finally:
            gc.enable()

    def drive_steadily(
        self, requests: Requests, serials: Iterator[int], seconds: float, per_second: float
    ) -> dict[int, float]:
        """Send that many a second, whatever the answers take; by serial the time.monotonic() of each answer.

        Raises LoadFailed, also when no connection is free at a request's time: then it would not be that many a second.
        """
        idle = list(self._connections)
        answered: dict[int, float] = {}
        started, sent, wanted = time.monotonic(), 0, int(seconds * per_second)
        while len(answered) < wanted:
            due = started + sent / per_second
            if sent < wanted and time.monotonic() >= due:
                if not idle:
                    raise LoadFailed(f"all connections wait for answers at {per_second:g} requests/s")
                serial = next(serials)
                idle.pop().send(serial, requests.make(serial))
                sent += 1
                continue
            patience = due - time.monotonic() if sent < wanted else _SILENCE_SECONDS
            ready = self._selector.select(max(0.0, patience))
            if not ready and sent == wanted:
                raise LoadFailed(f"no answer for {_SILENCE_SECONDS:.0f} seconds")
            for key, _ in ready:
                if key.data.is_answered():
                    answered[key.data.serial] = time.monotonic()
                    idle.append(key.data)
        return answered

    def _drive(self, requests: Requests, serials: Iterator[int], seconds: float) -> Driven:
        driven = Driven(0.0, time.process_time())
        started = time.perf_counter_ns()
        until = started + int(seconds * 1e9)
        for connection in self._connections:
            serial = next(serials)
            connection.send(serial, requests.make(serial))
        outstanding, now = len(self._connections), started
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
                if now < until:
                    serial = next(serials)
                    connection.send(serial, requests.make(serial))
                else:
                    outstanding -= 1
        driven.seconds = (now - started) / 1e9
        driven.cpu_seconds = time.process_time() - driven.cpu_seconds
        return driven

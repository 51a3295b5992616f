"""A TCP server on 127.0.0.1 that does to each connection what a test says: misbehaviour that no HTTP library sends."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Script = Callable[["Conversation"], None]


class Conversation:
    """One connection, seen from the server."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping

    def read_request(self) -> bytes:
        """The head of the request and as much of its body as Content-Length says."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [
            line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        while len(body) < int(lengths[0] if lengths else 0):
            body += self._receive()
        return head + b"\r\n\r\n" + body

    def receive(self, least: int) -> bytes:
        """What comes, at least so many bytes."""
        data = b""
        while len(data) < least:
            data += self._receive()
        return data

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def drip(self, start: bytes, drop: bytes, every_seconds: float = 0.02) -> None:
        """`start`, then `drop` again and again, until the client or the test has gone."""
        self.send(start)
        while not self._stopping.wait(every_seconds):
            self.send(drop)

    def flood(self, start: bytes, wave: bytes) -> None:
        """Like drip, without a pause: more than anybody wants to read."""
        self.drip(start, wave, every_seconds=0)

    def hold(self) -> None:
        """Say nothing until the test is over."""
        self._stopping.wait()

    def _receive(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionResetError
        return data


class RawServer:
    """Runs `script` for every connection, each in a thread of its own, from `with` to its end."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept() on Linux; close() does it on macOS
        self._listener.close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(sock,), daemon=True).start()

    def _converse(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:  # a client that hangs up is part of the game
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock:
                self._script(Conversation(sock, self._stopping))

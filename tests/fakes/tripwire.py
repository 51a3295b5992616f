"""A TCP relay on 127.0.0.1 that cuts a connection the moment a client says a certain thing: the worst of moments."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Tripwire:
    """Relays connections to `port`, from `with` to its end, until a client sends `mark`.

    Then that connection is cut; with `silent` it stays, and nothing comes back. The message itself reaches the server
    first if `delivered`.
    """

    def __init__(self, port: int, mark: bytes, *, delivered: bool = True, silent: bool = False) -> None:
        self._target, self._mark = port, mark
        self._delivered, self._silent = delivered, silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self.tripped = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listener, *self._sockets):
            _end(sock)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self._mark in data:
                    self.tripped.set()  # before the server can answer
                    if self._delivered:
                        server.sendall(data)
                    if not self._silent:
                        _end(client)
                    return
                server.sendall(data)

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if not self.tripped.is_set():
                    client.sendall(data)


def _end(sock: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

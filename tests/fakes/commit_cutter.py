"""A TCP relay to a MySQL server that can lose the answer to a COMMIT: the server has committed, its client never knows.

Packets: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

# Length 7, sequence 0, COM_QUERY: what PyMySQL sends for Connection.commit().
_COMMIT = b"\x07\x00\x00\x00\x03COMMIT"


class CommitCutter:
    """Relays connections to `port` on 127.0.0.1. While it is armed it cuts each `every`th connection that commits."""

    def __init__(self, port: int, *, every: int = 3) -> None:
        self._target = port
        self._every = every
        self._lock = threading.Lock()
        self._commits = 0
        self._armed = False
        self.cuts = 0  # how many answers were lost
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._sockets: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._listener)
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            _end(sock)

    def arm(self) -> None:
        """From now on answers are lost."""
        self._armed = True

    def disarm(self) -> None:
        """From now on every answer comes through."""
        self._armed = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                _end(client)
                continue
            server.settimeout(None)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets |= {client, server}
            doomed = threading.Event()
            for work in (self._forward, self._back):
                threading.Thread(target=work, args=(client, server, doomed), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while piece := client.recv(65536):
                if piece == _COMMIT and self._is_to_be_cut():
                    doomed.set()
                server.sendall(piece)
        self._forget(client, server)

    def _back(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while piece := server.recv(65536):
                if doomed.is_set():  # this is the answer to the COMMIT: it has happened
                    with self._lock:
                        self.cuts += 1
                    break
                client.sendall(piece)
        self._forget(client, server)

    def _is_to_be_cut(self) -> bool:
        with self._lock:
            self._commits += self._armed
            return self._armed and self._commits % self._every == 0

    def _forget(self, *sockets: socket.socket) -> None:
        for sock in sockets:
            _end(sock)
        with self._lock:
            self._sockets.difference_update(sockets)


def _end(sock: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

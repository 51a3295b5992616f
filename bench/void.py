"""A server that reads requests and answers 200, and nothing else: `python -m bench.void PORT`.

What the load can do at most is what it does against this one.
"""

from __future__ import annotations

import re
import selectors
import socket
import sys

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'
_RECEIVE_BYTES = 256 * 1024
_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search


class Conversation:
    """One connection: how much of the request under way is still missing."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = 0
        self._wanted = 0

    def is_open(self) -> bool:
        """Take what has arrived, and answer if that completes a request; False when the other side has hung up."""
        piece = self._connection.recv(_RECEIVE_BYTES)
        if not piece:
            return False
        if not self._wanted:
            head_end = piece.index(b"\r\n\r\n")  # the load sends a head in one piece
            length = _length(piece, 0, head_end)
            self._wanted = head_end + 4 + (int(length[1]) if length else 0)
        self._received += len(piece)
        if self._received >= self._wanted:
            self._received = self._wanted = 0
            self._connection.sendall(_ANSWER)
        return True


def serve(listener: socket.socket) -> None:
    """Answer for ever."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(connection, selectors.EVENT_READ, Conversation(connection))
                elif not key.data.is_open():
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr] # sockets only are registered


def main() -> None:
    """Listen on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64) as listener:
        print("listening", flush=True)
        serve(listener)


if __name__ == "__main__":
    main()

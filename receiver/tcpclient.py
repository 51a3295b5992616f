"""One more way out: a few bytes there and back over TCP, in bounded time, with servers that do not speak HTTP.

Nothing but probes of diagnoses goes this way. Names are looked up once, and an AddressGuard says where they may lead.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from receiver.errors import DeliveryFailed
from receiver.httpclient.address_guard import AddressGuard, AddressRefused
from receiver.httpclient.connection import Deadline

T = TypeVar("T")

LONGEST_ANSWER_BYTES = 64 * 1024


class Line:
    """A connection to a server. What it does raises OSError, in time."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def receive(self, length: int) -> bytes:
        """Exactly so many bytes. Raises ConnectionError if they do not come."""
        if length > LONGEST_ANSWER_BYTES:
            raise ConnectionError("an answer that is too long")
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise ConnectionError("closed early")
            data += piece
        return data

    def receive_line(self) -> bytes:
        """What comes before the first CR LF, cut to 64 KiB. Raises ConnectionError if it does not come."""
        data = b""
        while not data.endswith(b"\r\n") and len(data) < LONGEST_ANSWER_BYTES:
            data += self.receive(1)
        return data.removesuffix(b"\r\n")


def talk(host: str, port: int, seconds: float, guard: AddressGuard, conversation: Callable[[Line], T]) -> T:
    """Connect to the first of the host's permitted addresses that answers, and give back what `conversation` does.

    `seconds` bounds all of it but the look-up of the name, which has the limits of the system's resolver.
    Raises DeliveryFailed, and what `conversation` raises that is no OSError.
    """
    outcome = _attempt(host, port, seconds, guard, conversation)
    if isinstance(outcome, DeliveryFailed):
        raise outcome  # here and not in an `except`: the system's error may name the address
    return outcome


def _attempt(
    host: str, port: int, seconds: float, guard: AddressGuard, conversation: Callable[[Line], T]
) -> T | DeliveryFailed:
    try:
        addresses = guard.permitted(host, port)
    except AddressRefused as refused:
        return DeliveryFailed(refused.reason, permanent=True)
    except OSError:
        return DeliveryFailed("the host's name could not be resolved")
    with Deadline(seconds) as deadline:
        try:
            with _connect(addresses, port, seconds) as sock:
                deadline.watch(sock)
                deadline.connected = True
                return conversation(Line(sock))
        except OSError as error:
            return DeliveryFailed(_reason(error, deadline, seconds))


def _connect(addresses: list[str], port: int, seconds: float) -> socket.socket:
    end = time.monotonic() + seconds
    last: OSError = TimeoutError()
    for address in addresses:
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            sock = socket.create_connection((address, port), left)
        except OSError as error:
            last = error
            continue
        sock.settimeout(seconds)
        return sock
    raise last


def _reason(error: OSError, deadline: Deadline, seconds: float) -> str:
    if not deadline.connected:
        if isinstance(error, ConnectionRefusedError):
            return "connection refused"
        if isinstance(error, TimeoutError):
            return f"no connection within {seconds:g} s"
        return f"no connection ({type(error).__name__})"
    if deadline.expired or isinstance(error, TimeoutError):
        return f"connected, but no complete answer within {seconds:g} s"
    return "connected, but the connection was closed before an answer came"

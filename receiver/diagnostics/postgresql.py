"""Whether PostgreSQL takes connections, as pg_isready asks: a start-up message, and no password.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import struct

from receiver.diagnostics.base import Facts, Place
from receiver.errors import DeliveryFailed
from receiver.tcpclient import LONGEST_ANSWER_BYTES, Line, talk

_PROTOCOL = 196608  # 3.0
_AUTHENTICATION, _ERROR, _NEGOTIATE = b"R", b"E", b"v"
# SQLSTATE of a server that is there, but in no state to serve: too many connections, shutting down, starting up.
_TROUBLE = {
    "53300": "too many connections",
    "57P01": "shutting down",
    "57P02": "shutting down after a crash",
    "57P03": "starting up, or in recovery",
}


def look(place: Place, seconds: float) -> Facts:
    """Whether it asks for a password, or lets in without one. An unknown user or database proves that it is there."""
    kind, body = talk(
        place.address.host, place.address.port, seconds, place.guard, lambda line: _talk(line, place)
    )
    if kind in (_AUTHENTICATION, _NEGOTIATE):
        return {"ok": True}
    if kind != _ERROR:
        raise DeliveryFailed("connected, but the answer was not that of a PostgreSQL server")
    state = _field(body, b"C")
    if state in _TROUBLE:
        raise DeliveryFailed(f"the server refuses: {_TROUBLE[state]} (SQLSTATE {state})")
    return {"ok": True}


def _talk(line: Line, place: Place) -> tuple[bytes, bytes]:
    user = str(place.login.username or "") if place.login else "receiver-probe"
    database = str(place.login.database or user) if place.login else "postgres"
    settings = b"".join(
        text.encode() + b"\0" for text in ("user", user, "database", database, "application_name", "receiver")
    )
    message = struct.pack("!i", _PROTOCOL) + settings + b"\0"
    line.send(struct.pack("!i", len(message) + 4) + message)
    kind = line.receive(1)
    (length,) = struct.unpack("!i", line.receive(4))
    # Whatever else answers here, a web server say, sends four characters that are no such length.
    body = line.receive(length - 4) if 4 <= length <= LONGEST_ANSWER_BYTES else b""
    return kind if body or length == 4 else b"", body


def _field(body: bytes, name: bytes) -> str:
    """One field of an error: its letter, its text, a zero byte."""
    found = (part[1:] for part in body.split(b"\0") if part[:1] == name)
    return next(found, b"").decode("ascii", "replace")

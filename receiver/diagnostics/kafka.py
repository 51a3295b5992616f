"""Whether a Kafka broker serves: it is asked which requests it knows, which needs no login.

https://kafka.apache.org/protocol.html#The_Messages_ApiVersions
"""

from __future__ import annotations

import struct

from receiver.diagnostics.base import Facts, Place
from receiver.errors import DeliveryFailed
from receiver.tcpclient import LONGEST_ANSWER_BYTES, Line, talk

_API_VERSIONS, _VERSION, _CORRELATION, _CLIENT = 18, 0, 0x52454356, b"receiver"


def look(place: Place, seconds: float) -> Facts:
    """One request. A listener that wants TLS does not answer it."""
    correlation, error = talk(place.address.host, place.address.port, seconds, place.guard, _talk)
    if correlation != _CORRELATION:
        raise DeliveryFailed("connected, but the answer was not that of a Kafka broker")
    if error:
        raise DeliveryFailed(f"the broker refuses: error {error}")
    return {"ok": True}


def _talk(line: Line) -> tuple[int, int]:
    request = struct.pack("!hhih", _API_VERSIONS, _VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT
    line.send(struct.pack("!i", len(request)) + request)
    (length,) = struct.unpack("!i", line.receive(4))
    if not 6 <= length <= LONGEST_ANSWER_BYTES:
        return 0, 0
    correlation, error = struct.unpack("!ih", line.receive(length)[:6])
    return correlation, error

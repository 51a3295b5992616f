"""Whether something takes connections."""

from __future__ import annotations

from receiver.diagnostics.base import Facts, Place
from receiver.tcpclient import talk


def look(place: Place, seconds: float) -> Facts:
    """Connects, and says nothing."""
    talk(place.address.host, place.address.port, seconds, place.guard, lambda line: None)
    return {"ok": True}

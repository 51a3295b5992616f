"""How many bytes of bodies one process holds at a time: what bounds its memory in a flood.

Counted is what has come, not what was announced: else a few senders that announce much and send nothing shut out all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from receiver.errors import TooManyBodies

# A body that is parsed and waits for its commit takes up to ten times its size.
ROOM_BYTES = 32 * 1024 * 1024


class Booking:
    """What one request holds of a room."""

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self.taken = 0

    def add(self, size: int) -> None:
        """Hold `size` bytes more. Raises TooManyBodies when there is no room."""
        if self._room.held + size > self._room.size:
            raise TooManyBodies("too many bodies are being taken in at this moment: send it again")
        self._room.held += size
        self.taken += size


class BodyRoom:
    """The room of one process, whose greenlets change nothing between a look and a booking."""

    def __init__(self, size: int = ROOM_BYTES) -> None:
        self.size = size
        self.held = 0

    @contextmanager
    def booking(self) -> Iterator[Booking]:
        """A booking that is given back at the end, whatever happens."""
        booking = Booking(self)
        try:
            yield booking
        finally:
            self.held -= booking.taken

"""A keep-alive connection for one request after another, which takes whatever answer comes."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Self

_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search
_RECEIVE_BYTES = 256 * 1024
NO_ANSWER = 0  # in place of a status


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how many seconds. `at` is the time.monotonic() of its end."""

    status: int
    body: bytes
    seconds: float
    at: float

    @property
    def kind(self) -> str:
        """`processed`, `spooled`, `quarantined`; the status where it is no 200; `no answer`."""
        if self.status == NO_ANSWER:
            return "no answer"
        found = re.search(rb'"outcome": ?"(\w+)"', self.body)
        return found[1].decode() if self.status == 200 and found else str(self.status)

    @property
    def delivery_id(self) -> str | None:
        """Of what was acknowledged."""
        found = re.search(rb'"delivery_id": ?"(\w+)"', self.body)
        return found[1].decode() if self.status == 200 and found else None


class Connection:
    """One sender. It connects when it has something to send, and again after each failure."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes, due: float, patience_seconds: float) -> Answer:
        """The answer to `request`. Its seconds count from `due`, so that what waited for its turn counts too."""
        try:
            async with asyncio.timeout(patience_seconds):
                status, body = await self._ask(request)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.close()
            status, body = NO_ANSWER, b""
        now = time.monotonic()
        return Answer(status, body, now - due, now)

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        was_kept = self._streams is not None
        try:
            return await self._exchange(request)
        except (OSError, asyncio.IncompleteReadError):
            if not was_kept:
                raise
            # The server has closed it meanwhile, as it may: senders (Go's net/http) then connect anew and send again.
            self.close()
            return await self._exchange(request)

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=_RECEIVE_BYTES)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = _length(head)
        body = await reader.readexactly(int(found[1])) if found else b""
        if b"\r\nConnection: close\r\n" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """End it, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Senders that never come to an end: half a head or half a body, then a byte now and then; and again when cut off."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bench.bodies import PATH

# What each sends before it turns slow: part of a head, or a head and part of the body that it announces.
_HALVES = (
    f"POST {PATH} HTTP/1.1\r\nHost: a\r\nX-A: ",
    f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {{token}}\r\nContent-Length: 1000\r\n\r\n{{{{",
)
_PAUSE_SECONDS = 0.2
# Addresses of their own, as strangers have: nginx counts connections by address. Linux has all of 127/8 on loopback.
_ADDRESSES = tuple(f"127.0.0.{last}" for last in range(2, 12))


class SlowSenders:
    """`number` of them, half with half a head and half with half a body. `cut_off` counts how often one was."""

    def __init__(self, address: tuple[str, int], token: str, number: int, seconds_per_byte: float) -> None:
        self._address = address
        self._halves = [half.format(token=token).encode() for half in _HALVES]
        self._number = number
        self._seconds_per_byte = seconds_per_byte
        self._tasks: list[asyncio.Task[None]] = []
        self.cut_off = 0
        self._connected = 0

    async def __aenter__(self) -> SlowSenders:
        for number in range(self._number):
            half, own = self._halves[number % len(self._halves)], _ADDRESSES[number % len(_ADDRESSES)]
            self._tasks.append(asyncio.create_task(self._go_on(half, own)))
        while self._connected < self._number * 0.9:
            await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_on(self, half: bytes, own: str) -> None:
        while True:
            with suppress(OSError):
                await self._be_slow(half, own)
            self.cut_off += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _be_slow(self, half: bytes, own: str) -> None:
        reader, writer = await asyncio.open_connection(*self._address, local_addr=(own, 0))
        self._connected += 1
        try:
            writer.write(half)
            while not reader.at_eof():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_per_byte):  # wait_for may swallow a cancellation
                        await reader.read(65536)
                writer.write(b"a")
                await writer.drain()
        finally:
            writer.close()

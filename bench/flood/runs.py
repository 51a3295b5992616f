"""The runs: slow senders beside honest ones, and a flood beside honest ones."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.bodies import Requests, Shape
from bench.databases import MariaDBServer
from bench.flood.burst import Burst, Plan, send_burst
from bench.flood.connection import Answer
from bench.flood.figures import Seen, missing, recovery_seconds, seen, spool_emptied_seconds
from bench.flood.honest import send_steadily
from bench.flood.memory import MemoryWatch
from bench.flood.slow import SlowSenders
from bench.subject import Subject
from tests.deploy.front import Front

# Each flood has serial numbers of its own, and none of the honest ones.
_SERIALS_EACH = 1 << 32
_ENDLESS = 1e5


@dataclass(frozen=True, slots=True)
class SlowPlan:
    """`slow` senders of a byte every `seconds_per_byte`, beside `per_second` honest requests, for `seconds`."""

    slow: int = 200
    seconds_per_byte: float = 5.0
    per_second: float = 50.0
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class FloodPlan:
    """`per_second` requests for `seconds` over `connections`; honest ones before, beside and after them."""

    per_second: float
    seconds: float = 20.0
    connections: int = 1500
    honest_per_second: float = 20.0
    before_seconds: float = 5.0
    after_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class SlowRun:
    """What honest senders saw beside slow ones, and how often a slow one was cut off."""

    place: str
    slow: int
    seen: Seen
    cut_off: int
    memory: float


@dataclass(frozen=True, slots=True)
class FloodRun:
    """What became of a flood, of the honest requests beside it, and of the receiver."""

    burst: Burst
    before: Seen
    during: Seen
    after: Seen
    recovery_seconds: float
    spool_seconds: float
    memory_rss: float
    memory_pss: float
    acknowledged: int
    missing: int


class Field:
    """A database and a running receiver; a context manager. Its runs may follow one another."""

    def __init__(self, database: MariaDBServer, folder: Path) -> None:
        self._folder = folder
        self._url = database.create()
        self._subject = Subject(self._url, folder, {})
        self._serials = itertools.count(1)
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._subject.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._subject.__exit__(kind, error, trace)

    def slow(self, plan: SlowPlan, *, front: bool) -> SlowRun:
        """Honest requests beside slow ones, at the receiver itself or at nginx before it."""
        with self._entrance(front) as address, MemoryWatch(self._pids) as memory:
            answers, cut_off = asyncio.run(self._slowed(address, plan))
        return SlowRun(
            "behind nginx" if front else "gunicorn", plan.slow, seen(answers), cut_off, memory.most_rss
        )

    def flood(self, plan: FloodPlan) -> FloodRun:
        """A flood, with honest requests before, beside and after it; then the spool empties, and all must be there."""
        with MemoryWatch(self._pids) as memory:
            burst, answers, began, over = asyncio.run(self._flooded(plan))
            spool = spool_emptied_seconds("http://{}:{}".format(*self._subject.address), over)
        ids = burst.delivery_ids + [one.delivery_id for one in answers if one.delivery_id]
        return FloodRun(
            burst,
            seen([one for one in answers if one.at < began]),
            seen([one for one in answers if began <= one.at - one.seconds < over]),
            seen([one for one in answers if one.at - one.seconds >= over]),
            recovery_seconds(answers, over),
            spool,
            memory.most_rss,
            memory.most_pss,
            len(ids),
            missing(self._url, ids),
        )

    def capacity(self, seconds: float) -> float:
        """Requests a second that are answered when 16 connections send one after the other."""
        with _process() as pool:
            return pool.submit(send_burst, self._burst(_ENDLESS, seconds, 16)).result().sent / seconds

    def _pids(self) -> list[int]:
        return list(self._subject.pids().values())

    def _burst(self, per_second: float, seconds: float, connections: int) -> Plan:
        first = next(self._numbers) * _SERIALS_EACH
        return Plan(self._subject.address, self._subject.token, per_second, seconds, connections, first)

    @contextmanager
    def _entrance(self, front: bool) -> Iterator[tuple[str, int]]:
        if not front:
            yield self._subject.address
            return
        with Front(self._folder / f"nginx-{next(self._numbers)}", self._subject.address[1]) as nginx:
            yield ("127.0.0.1", nginx.port)

    async def _slowed(self, address: tuple[str, int], plan: SlowPlan) -> tuple[list[Answer], int]:
        slow = SlowSenders(address, self._subject.token, plan.slow, plan.seconds_per_byte)
        async with slow:
            answers = await self._honest(address, plan.per_second, plan.seconds)
        return answers, slow.cut_off

    async def _flooded(self, plan: FloodPlan) -> tuple[Burst, list[Answer], float, float]:
        burst = self._burst(plan.per_second, plan.seconds, plan.connections)
        whole = plan.before_seconds + plan.seconds + plan.after_seconds
        honest = asyncio.create_task(self._honest(self._subject.address, plan.honest_per_second, whole))
        await asyncio.sleep(plan.before_seconds)
        began = time.monotonic()
        with _process() as pool:
            found = await asyncio.get_running_loop().run_in_executor(pool, send_burst, burst)
        return found, await honest, began, began + plan.seconds

    async def _honest(self, address: tuple[str, int], per_second: float, seconds: float) -> list[Answer]:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        requests = Requests(Shape(), token=self._subject.token)
        return await send_steadily(address, requests, self._serials, per_second, stop)


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

"""Honest senders: so many requests a second, whatever the answers take, over a few connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from bench.bodies import Requests
from bench.flood.connection import Answer, Connection

PATIENCE_SECONDS = 10.0  # Alertmanager's
_CONNECTIONS = 64


async def send_steadily(
    address: tuple[str, int],
    requests: Requests,
    serials: Iterator[int],
    per_second: float,
    stop: asyncio.Event,
) -> list[Answer]:
    """All answers, in the order in which they came, until `stop` is set."""
    answers: list[Answer] = []
    idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    with ExitStack() as stack:
        for _ in range(_CONNECTIONS):
            idle.put_nowait(stack.enter_context(Connection(address)))

        async def one(due: float) -> None:
            connection = await idle.get()
            answers.append(await connection.ask(requests.make(next(serials)), due, PATIENCE_SECONDS))
            idle.put_nowait(connection)

        async with asyncio.TaskGroup() as group:
            due = time.monotonic()
            while not stop.is_set():
                group.create_task(one(due))
                due += 1 / per_second
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(0.0, due - time.monotonic()))
    return answers

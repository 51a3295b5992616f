"""The flood itself: far more requests than can be taken, from many connections, whatever the answers take.

In a process of its own: what it lacks in time must not count as the receiver's slowness.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.bodies import Requests, Shape
from bench.flood.connection import Answer, Connection

_PATIENCE_SECONDS = 20.0
# As many are made due at a time: asking the clock for each would take longer than sending it.
_TICK_SECONDS = 0.01


@dataclass(slots=True)
class Burst:
    """What became of a flood. `due`: what was to be sent; requests that no connection was free for never were."""

    seconds: float
    due: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    delivery_ids: list[str] = field(default_factory=list)
    # How late this process itself was at most: what it saw as slow is not all the receiver's.
    own_lag_seconds: float = 0.0

    @property
    def sent(self) -> int:
        """Requests that went out."""
        return self.kinds.total()

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        self.kinds[answer.kind] += 1
        self.latencies.append(answer.seconds)
        if answer.delivery_id:
            self.delivery_ids.append(answer.delivery_id)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a flood goes and how large it is. `first_serial`: no other load must have these serial numbers."""

    address: tuple[str, int]
    token: str
    per_second: float
    seconds: float
    connections: int
    first_serial: int


def send_burst(plan: Plan) -> Burst:
    """Send it, and wait for the answers that are due. For a process of its own."""
    return asyncio.run(_send(plan))


async def _send(plan: Plan) -> Burst:
    found = Burst(plan.seconds)
    requests, serials = Requests(Shape(), token=plan.token), itertools.count(plan.first_serial)
    with ExitStack() as stack:
        idle = [stack.enter_context(Connection(plan.address)) for _ in range(plan.connections)]

        async def one(connection: Connection, due: float) -> None:
            found.add(await connection.ask(requests.make(next(serials)), due, _PATIENCE_SECONDS))
            idle.append(connection)

        async with asyncio.TaskGroup() as group:
            started = time.monotonic()
            while (now := time.monotonic()) < started + plan.seconds:
                wanted = int((now - started) * plan.per_second)
                while found.due < wanted:
                    found.due += 1
                    if idle:
                        group.create_task(one(idle.pop(), now))
                await asyncio.sleep(_TICK_SECONDS)
                found.own_lag_seconds = max(found.own_lag_seconds, time.monotonic() - now - _TICK_SECONDS)
    return found

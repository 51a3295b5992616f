"""Workers die, or sleep through their leases."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from faults.stack import WORKERS, Stack
from receiver.worker.reaper import REAP_SECONDS
from tests.fakes.polling import TimedOut, wait_until

# Beyond the lease: looking for leases that are over, and coming back.
TAKEN_OVER_WITHIN_SECONDS = 15.0
_ALL = [f"worker-{number}" for number in range(1, WORKERS + 1)]


def kill_at_random(stack: Stack, seconds: float) -> None:
    """One of them every second or so, by SIGKILL."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stack.kill(random.choice(_ALL))
        time.sleep(random.uniform(0.5, 1.5))


def kill_at_points(stack: Stack, seconds: float) -> None:
    """Both at once, at marked points: after the claim, as a request reaches its witness, after its answer."""
    until = time.monotonic() + seconds
    points = itertools.cycle([_claimed, _before_answer, _after_answer, _changing])
    while time.monotonic() < until:
        if next(points)(stack):
            for name in _ALL:
                stack.kill(name)
        time.sleep(2.5)  # they need a second or two to be back


def _claimed(stack: Stack) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with stack.engine.connect() as connection:
                running = connection.execute(
                    text("SELECT COUNT(*) FROM jobs WHERE state = 'running'")
                ).scalar_one()
        except SQLAlchemyError:
            return False
        if running:
            return True
        time.sleep(0.002)
    return False


def _before_answer(stack: Stack) -> bool:
    return _at(lambda call: setattr(stack.slack, "on_request", call))


def _after_answer(stack: Stack) -> bool:
    return _at(lambda call: setattr(stack.pagerduty, "on_request", call), after_seconds=0.004)


def _changing(stack: Stack) -> bool:
    return _at(lambda call: setattr(stack.cluster, "on_change", call))


def _at(hook: Callable[[Callable[[], None] | None], None], after_seconds: float = 0.0) -> bool:
    """Return when the witness is reached, which holds its answer back, or `after_seconds` later."""
    reached, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        if not after_seconds:
            go_on.wait(0.05)

    hook(hold)
    try:
        found = reached.wait(5)
        time.sleep(after_seconds)
        return found
    finally:
        hook(None)
        go_on.set()


def be_missed(stack: Stack, seconds: float) -> None:
    """Both are killed while they have jobs in hand; how long until others have taken over the last of these."""
    until = time.monotonic() + seconds
    while True:
        pids = [stack.processes[name].pid for name in _ALL]
        if _at(lambda call: setattr(stack.slack, "on_request", call)):
            for name in _ALL:
                stack.kill(name)
            killed = time.monotonic()
            limit = stack.lease_seconds + TAKEN_OVER_WITHIN_SECONDS
            wait_until(lambda pids=pids: not _in_hand(stack, pids), limit, "others that take over the jobs")  # type: ignore[misc]  # a default of a lambda
            stack.note("figure", name="reclaim_seconds", value=round(time.monotonic() - killed, 1))
            if time.monotonic() > until:
                return
        assert time.monotonic() < until + 30, "no worker had anything in hand"


def _in_hand(stack: Stack, pids: list[int]) -> int:
    """How many jobs belong to these processes, which are dead."""
    try:
        with stack.engine.connect() as connection:
            workers = connection.execute(text("SELECT worker FROM jobs WHERE state = 'running'")).scalars()
            return sum(int(name.split("-")[-2]) in pids for name in workers if name)
    except SQLAlchemyError:
        return 1


def sleep_through_the_lease(stack: Stack, seconds: float) -> None:
    """A worker with a job in hand is stopped (SIGSTOP) beyond its lease, and goes on: what it brings is refused."""
    until = time.monotonic() + seconds
    refused = 0
    for name in itertools.cycle(_ALL):
        process = stack.processes[name]
        _until_in_hand(stack, process.pid)
        stack.send(name, signal.SIGSTOP)
        had = _in_hand(stack, [process.pid])
        with stack.trouble(f"{name} sleeps"):
            time.sleep(stack.lease_seconds + REAP_SECONDS + 1)  # the other one looks no more often
            taken = had and not _in_hand(stack, [process.pid])
            stack.send(name, signal.SIGCONT)
            time.sleep(3)
        stack.note("slept", process=name, had=had, taken=bool(taken))
        refused += "lease.lost" in process.output()
        if time.monotonic() > until:
            break
    assert refused, "no worker was refused what it brought after its lease was over"


def _until_in_hand(stack: Stack, pid: int) -> None:
    with suppress(TimedOut):
        wait_until(lambda: _in_hand(stack, [pid]) > 0, 5)

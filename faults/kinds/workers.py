"""Workers die, or sleep through their leases."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from faults.stack import WORKERS, Stack

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


def sleep_through_the_lease(stack: Stack, seconds: float) -> None:
    """A worker is stopped (SIGSTOP) for longer than its lease, and goes on: its jobs are others' by then."""
    until = time.monotonic() + seconds
    for name in itertools.cycle(_ALL):
        stack.send(name, signal.SIGSTOP)
        with stack.trouble(f"{name} sleeps"):
            time.sleep(stack.lease_seconds + 6)
            stack.send(name, signal.SIGCONT)
            time.sleep(2)
        if time.monotonic() > until:
            return

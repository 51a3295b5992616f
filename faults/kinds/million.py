"""As many alerts as the proof asks for, in large groups and one after the other, while part after part dies."""

from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path

from faults.history import End
from faults.kinds import database
from faults.stack import Stack

PAUSE_SECONDS = 12.0
# Nobody waits for ever for senders that are not taken any more.
LEAST_RATE = 300.0


def until_there_are_enough(stack: Stack, seconds: float) -> None:
    """Something dies every few seconds until `stack.goal` alerts are acknowledged, and for `seconds` at least."""
    acknowledged = _Acknowledged(stack.folder / "history.jsonl")
    started = time.monotonic()
    harms = itertools.cycle((_kill_a_web_process, _kill_a_worker, _kill_connections, _kill_the_database))
    while (got := acknowledged.count()) < stack.goal or time.monotonic() < started + seconds:
        next(harms)(stack)
        _wait(acknowledged, stack.goal)
        passed = time.monotonic() - started
        assert got > LEAST_RATE * (passed - 60), f"{got} alerts acknowledged in {passed:.0f} s"
    stack.note("figure", name="alerts_per_second", value=round(got / (time.monotonic() - started)))


class _Acknowledged:
    """Counts what a history says, as it grows."""

    def __init__(self, history: Path) -> None:
        self._lines = history.open(encoding="utf-8")
        self._rest = ""
        self._count = 0

    def count(self) -> int:
        """How many alerts by now."""
        *lines, self._rest = (self._rest + self._lines.read()).split("\n")
        entries = map(json.loads, lines)
        self._count += sum(entry["alerts"] for entry in entries if entry["end"] == End.OK)
        return self._count


def _wait(acknowledged: _Acknowledged, goal: int) -> None:
    until = time.monotonic() + PAUSE_SECONDS
    while time.monotonic() < until and acknowledged.count() < goal:
        time.sleep(0.5)


def _kill_a_web_process(stack: Stack) -> None:
    if pids := stack.web_pids():
        stack.kill_pid(random.choice(pids))


def _kill_a_worker(stack: Stack) -> None:
    stack.kill(random.choice([name for name in stack.processes if name.startswith("worker")]))


def _kill_connections(stack: Stack) -> None:
    database.kill_connections(stack, 1)


def _kill_the_database(stack: Stack) -> None:
    database.kill_and_restart(stack, 1)

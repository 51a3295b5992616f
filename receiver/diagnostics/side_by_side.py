"""Runs several probes at once: each has its own time, and none holds up another."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from receiver.diagnostics.base import Facts, failed
from receiver.errors import DeliveryFailed, RenderFailed
from receiver.logs import event_logger

_log = event_logger("diagnose")

# Given to a probe on top of its own time, in which it can say best what it waited for.
GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """One probe, ready to run."""

    seconds: float
    look: Callable[[], Facts]


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it: facts, with an `error` where nothing was found out; and how long it took."""

    facts: Facts
    seconds: float


def run_side_by_side(
    tasks: Sequence[Task], deadline_seconds: float, grace_seconds: float = GRACE_SECONDS
) -> list[Ended]:
    """What came of each, in their order, in at most `deadline_seconds`.

    A task that goes on beyond its time is left to itself: threads cannot be ended, but look-ups of names and all else
    in them end some time. They are daemons, so that they hold up no end of the process either.
    """
    started = time.monotonic()
    ended: dict[int, Ended] = {}
    finished: queue.SimpleQueue[tuple[int, Facts]] = queue.SimpleQueue()
    for number, task in enumerate(tasks):
        threading.Thread(
            target=_run, args=(number, task, finished), name=f"probe-{number}", daemon=True
        ).start()
    limits = {
        number: min(task.seconds + grace_seconds, deadline_seconds) for number, task in enumerate(tasks)
    }
    while limits:
        passed = time.monotonic() - started
        try:
            number, facts = finished.get(timeout=max(min(limits.values()) - passed, 0.0))
        except queue.Empty:
            passed = time.monotonic() - started
            for number in [number for number, limit in limits.items() if limit <= passed]:
                ended[number] = Ended(_given_up(limits.pop(number)), passed)
            continue
        if limits.pop(number, None) is not None:
            ended[number] = Ended(facts, time.monotonic() - started)
    return [ended[number] for number in range(len(tasks))]


def _run(number: int, task: Task, finished: queue.SimpleQueue[tuple[int, Facts]]) -> None:
    try:
        facts = task.look()
    except DeliveryFailed as failure:
        facts = failed(failure.reason)
    except RenderFailed as failure:
        facts = failed(str(failure))
    except Exception as error:  # noqa: BLE001 - this thread's outermost handler: a bug in one probe must not end the others
        _log.error("probe.bug", exc_info=True)
        facts = failed(f"the probe itself broke ({type(error).__name__}): a mistake of the receiver's")
    finished.put((number, facts))


def _given_up(seconds: float) -> Facts:
    return failed(f"no result within {seconds:g} s")

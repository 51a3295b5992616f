"""The points at which a worker is killed. Each lays a trap, tells when a worker is in it, and clears up afterwards.

An action: claimed, planned, marked as running, sent, carried out, answered. A message: claimed, sent, taken, answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, text

from faults.rounds.lane import Lane
from faults.witness import TAKEN_BY_PAGERDUTY, Channel
from tests.fakes.kubernetes import Fault
from tests.fakes.polling import TimedOut, wait_until
from tests.fakes.slack import OK, Answer, hang

# A worker that is not in the trap by then has found it empty: it is killed where it is.
REACHED_WITHIN_SECONDS = 15.0
_HUNG_SECONDS = 30.0  # longer than a worker lives; its thread in the stand-in is gone after that

# Waits for a worker in the trap; whether there was one.
Reached = Callable[[], bool]


@contextmanager
def claimed(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """A remediation job is claimed, and its action about to begin."""
    yield lambda: _until(lambda: _running(lane, "remediate"))


@contextmanager
def planned(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """The API server has been asked how things stand, and does not answer."""
    with _hung(lane, "GET", done=False) as reached:
        yield reached


@contextmanager
def marked(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """An action is marked as running: the call is about to be made, or under way."""
    query = "SELECT COUNT(*) FROM remediation_actions WHERE state = 'running'"
    yield lambda: _until(lambda: lane.count(query) > 0)


@contextmanager
def sent(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """The call has reached the API server, which does nothing about it."""
    with _hung(lane, "PUT", done=False) as reached:
        yield reached


@contextmanager
def carried_out(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """The API server has done it, and does not answer."""
    with _hung(lane, "PUT", done=True) as reached:
        yield reached


@contextmanager
def answered(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """The worker has its answer and cannot record it: the incidents' rows are ours."""
    with _held_rows(lane, services) as hold:
        lane.cluster.on_change = hold
        try:
            yield lambda: _until(lambda: lane.lock_waits() > 0)
        finally:
            lane.cluster.on_change = None


@contextmanager
def message_claimed(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """A message is claimed, and about to be sent."""
    yield lambda: _until(lambda: _running(lane, "notify-slack") or _running(lane, "notify-pagerduty"))


@contextmanager
def message_sent(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """The channel has the request, and neither takes nor answers it."""
    with _channel(lane.slack, Answer(503, "unavailable", delay=_HUNG_SECONDS), OK) as reached:
        yield reached


@contextmanager
def message_taken(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """Slack has taken it, and does not answer: nobody can know."""
    with _channel(lane.slack, hang(_HUNG_SECONDS), OK) as reached:
        yield reached


@contextmanager
def page_taken(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """PagerDuty has taken it, and does not answer."""
    taken = Answer(202, TAKEN_BY_PAGERDUTY.body, delay=_HUNG_SECONDS)
    with _channel(lane.pagerduty, taken, TAKEN_BY_PAGERDUTY) as reached:
        yield reached


@contextmanager
def message_answered(lane: Lane, services: list[str]) -> Iterator[Reached]:
    """The worker has Slack's answer and cannot record it."""
    with _held_rows(lane, services) as hold:
        lane.slack.on_request = hold
        try:
            yield lambda: _until(lambda: lane.lock_waits() > 0)
        finally:
            lane.slack.on_request = None


POINTS = (
    claimed,
    planned,
    marked,
    sent,
    carried_out,
    answered,
    message_claimed,
    message_sent,
    message_taken,
    page_taken,
    message_answered,
)


def _until(holds: Callable[[], bool]) -> bool:
    with suppress(TimedOut):
        wait_until(holds, REACHED_WITHIN_SECONDS)
        return True
    return False


def _running(lane: Lane, queue: str) -> bool:
    query = "SELECT COUNT(*) FROM jobs WHERE queue = :queue AND state = 'running'"
    return lane.count(query, queue=queue) > 0


@contextmanager
def _hung(lane: Lane, method: str, *, done: bool) -> Iterator[Reached]:
    lane.cluster.came.clear()
    lane.cluster.method = method
    lane.cluster.fail_always(Fault(hang=True, done=done, method=method))
    try:
        yield lambda: lane.cluster.came.wait(REACHED_WITHIN_SECONDS)
    finally:
        lane.cluster.fail_always(None)
        lane.cluster.method = ""


@contextmanager
def _channel(channel: Channel, answer: Answer, otherwise: Answer) -> Iterator[Reached]:
    reached = threading.Event()
    channel.on_request = reached.set
    channel.answer_always(answer)
    try:
        yield lambda: reached.wait(REACHED_WITHIN_SECONDS)
    finally:
        channel.answer_always(otherwise)
        channel.on_request = None


@contextmanager
def _held_rows(lane: Lane, services: list[str]) -> Iterator[Callable[[], None]]:
    """What a witness does to hold the rows of the services' incidents, from its first call to the end of the block."""
    held: list[Connection] = []
    ours, is_over = threading.Lock(), threading.Event()
    lock = text("SELECT incident_id FROM incidents WHERE incident_id = :id FOR UPDATE")

    def hold() -> None:
        with ours:
            if held or is_over.is_set():
                return
            held.append(lane.engine.connect())
            for service in sorted(services):
                held[-1].execute(lock, {"id": lane.incidents[service]})

    try:
        yield hold
    finally:
        with ours:
            is_over.set()
            for connection in held:
                connection.rollback()  # the pool does not do it
                connection.close()

"""A worker that cannot be sure of its leases starts nothing: others may be at its jobs."""

from __future__ import annotations

import time

import pytest

from receiver.domain.retry import Backoff
from receiver.worker.bulkhead import Bulkhead
from receiver.worker.dispatcher import Dispatcher, claim
from receiver.worker.lease import Leases
from tests.builders.jobs import QUEUE, add, request, states
from tests.fakes.handlers import Probe
from tests.fakes.polling import wait_until

LEASE_SECONDS = 60.0


class CountingBulkhead(Bulkhead):
    """Knows how often the dispatcher has come by."""

    turns = 0

    def take_unstarted(self, longer_than_seconds=0.0):
        self.turns += 1
        return super().take_unstarted(longer_than_seconds)


@pytest.fixture
def probe():
    return Probe()


@pytest.fixture
def held():
    return Leases(LEASE_SECONDS)


@pytest.fixture
def bulkhead(engine, probe, held):
    made = CountingBulkhead(QUEUE, 1, engine, probe.handlers, held, Backoff(), lambda: None)
    made.start()
    yield made
    made.stop()
    made.abandon()


def test_a_job_whose_lease_is_half_over_is_not_started(engine, bulkhead, held, probe):
    add(engine, request("doubtful"), request("sure"))
    doubtful, sure = claim(engine, QUEUE, 2, LEASE_SECONDS, "w")
    now = time.monotonic()
    held.confirm([doubtful], now - LEASE_SECONDS / 2 - 1)
    held.confirm([sure], now)
    bulkhead.offer([doubtful, sure])
    wait_until(bulkhead.is_idle)
    assert probe.keys == ["sure"]
    assert states(engine) == {
        "doubtful": "running",
        "sure": "done",
    }  # its lease runs out, and it is reclaimed
    assert held.held() == []


def test_while_the_heartbeat_fails_no_job_is_claimed(engine, bulkhead, held, probe):
    add(engine, request("old"))
    (old,) = claim(engine, QUEUE, 1, LEASE_SECONDS, "w")
    held.confirm([old], time.monotonic() - LEASE_SECONDS / 2 - 1)
    add(engine, request("new"))
    dispatcher = Dispatcher(engine, probe.handlers, held, worker="w", poll_seconds=0.01)
    dispatcher.start([bulkhead])
    wait_until(lambda: bulkhead.turns > 5)
    assert states(engine) == {"old": "running", "new": "ready"}
    held.renewed([old], time.monotonic())
    wait_until(lambda: states(engine) == {"old": "running", "new": "done"})
    dispatcher.stop(10)

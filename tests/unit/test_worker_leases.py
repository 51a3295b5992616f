"""Which leases a worker trusts, by the time that has passed on its own host."""

from __future__ import annotations

import pytest

from receiver.domain.jobs import ClaimedJob
from receiver.worker.lease import Leases


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def held(clock):
    return Leases(lease_seconds=60, monotonic=clock)


def job(job_id=1, token="t1"):
    return ClaimedJob(job_id, "q", "notify", f"k{job_id}", {}, None, 1, 10, "", token)


def test_a_fresh_lease_allows_a_start(held, clock):
    held.confirm([job()], clock.now)
    clock.now += 29
    assert held.may_start(job())
    assert not held.is_any_stale()


def test_a_lease_without_a_heartbeat_for_half_its_time_allows_no_start(held, clock):
    held.confirm([job()], clock.now)
    clock.now += 31  # or the process was stopped for so long
    assert not held.may_start(job())
    assert held.is_any_stale()


def test_a_heartbeat_makes_it_fresh_again(held, clock):
    held.confirm([job()], clock.now)
    clock.now += 31
    held.renewed([job()], clock.now)
    assert held.may_start(job())


def test_a_heartbeat_does_not_take_up_what_was_put_down(held, clock):
    held.confirm([job()], clock.now)
    held.drop([job()])
    held.renewed([job()], clock.now)
    assert held.held() == []
    assert not held.may_start(job())


def test_two_claims_of_one_job_are_told_apart(held, clock):
    held.confirm([job(token="t1"), job(token="t2")], clock.now)
    held.drop([job(token="t1")])
    assert held.held() == [job(token="t2")]

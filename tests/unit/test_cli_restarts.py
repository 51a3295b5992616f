"""A child that dies is started again; one that keeps dying, or cannot be helped, is given up."""

from __future__ import annotations

import signal

import pytest

from receiver.cli.exits import Exit
from receiver.cli.restarts import MOST_QUICK_ENDS, STABLE_SECONDS, Restarts

KILLED = -signal.SIGKILL


def test_quick_ends_wait_longer_each_time_and_then_end_it():
    restarts = Restarts()
    delays = [restarts.delay_seconds(1, lived_seconds=0.1) for _ in range(MOST_QUICK_ENDS)]
    assert delays == [0.5, 1, 2, 4, None]


def test_a_child_that_ran_well_starts_anew():
    restarts = Restarts()
    for _ in range(20):
        assert restarts.delay_seconds(KILLED, lived_seconds=STABLE_SECONDS) == 0.5


def test_a_long_run_forgives_earlier_quick_ends():
    restarts = Restarts()
    for _ in range(MOST_QUICK_ENDS - 1):
        restarts.delay_seconds(1, lived_seconds=0)
    assert restarts.delay_seconds(1, lived_seconds=STABLE_SECONDS) == 0.5
    assert restarts.delay_seconds(1, lived_seconds=0) == 1


@pytest.mark.parametrize("status", [Exit.SETTINGS, Exit.SCHEMA])
def test_what_starting_again_cannot_mend_is_given_up_at_once(status: Exit):
    assert Restarts().delay_seconds(status, lived_seconds=1000) is None


def test_a_database_that_is_away_may_come_back():
    assert Restarts().delay_seconds(Exit.DATABASE, lived_seconds=1) is not None

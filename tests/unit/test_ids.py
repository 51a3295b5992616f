"""Identifiers sort by time, never repeat, and survive forks and clocks that step back."""

from __future__ import annotations

import os
from collections.abc import Callable
from unittest.mock import patch

import pytest

from receiver.ids import UlidFactory, trace_id_of


def test_ulids_rise_and_never_repeat() -> None:
    make = UlidFactory()
    made = [make() for _ in range(5000)]
    assert made == sorted(set(made))
    assert {len(one) for one in made} == {26}


def test_a_clock_that_steps_back_does_not_turn_the_order() -> None:
    make = UlidFactory()
    with patch("receiver.ids.time.time_ns", return_value=2_000_000_000_000_000_000):
        before = make()
    with patch("receiver.ids.time.time_ns", return_value=1_000_000_000_000_000_000):
        assert make() > before


def test_a_fork_does_not_go_on_with_its_parents_sequence() -> None:
    make = UlidFactory()
    with patch("receiver.ids.time.time_ns", return_value=2_000_000_000_000_000_000):
        parent = make()
        child = _in_a_fork(make)
    assert child[:10] == parent[:10]  # of the same millisecond
    assert child[10:22] != parent[10:22]


def _in_a_fork(make: Callable[[], str]) -> str:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, make().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def test_the_senders_trace_is_kept() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert trace_id_of(f"00-{trace}-b7ad6b7169203331-01") == trace


@pytest.mark.parametrize(
    "header", [None, "", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", "00-XYZ-1-01"]
)
def test_anything_else_gets_a_trace_of_its_own(header: str | None) -> None:
    one, other = trace_id_of(header), trace_id_of(header)
    assert one != other
    assert len(one) == 32 and int(one, 16)

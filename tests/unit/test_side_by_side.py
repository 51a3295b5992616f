"""Probes run side by side: each has its own time, and none holds up another."""

from __future__ import annotations

import threading

import pytest

from receiver.diagnostics.side_by_side import Task, run_side_by_side
from receiver.errors import DeliveryFailed, RenderFailed


def answering(**facts):
    return Task(5, lambda: {"ok": True, **facts})


@pytest.fixture
def never():
    """A probe that hangs until the test is over."""
    end = threading.Event()
    yield lambda: end.wait(60) or {}
    end.set()


def test_results_come_in_the_order_of_the_probes():
    first_may_end = threading.Event()

    def first():
        assert first_may_end.wait(10)
        return {"ok": True, "number": 1}

    def second():
        first_may_end.set()
        return {"ok": True, "number": 2}

    found = run_side_by_side([Task(10, first), Task(10, second)], 20)
    assert [one.facts["number"] for one in found] == [1, 2]


def test_all_run_at_the_same_time():
    together = threading.Barrier(20)

    def look():
        together.wait(10)  # breaks, unless all twenty are here
        return {"ok": True}

    assert [one.facts["ok"] for one in run_side_by_side([Task(10, look)] * 20, 30)] == [True] * 20


def test_a_probe_that_hangs_is_given_up_after_its_own_time_and_the_others_have_their_results(never):
    hanging, answered = run_side_by_side([Task(0.2, never), answering(value=1)], 60, grace_seconds=0)
    assert hanging.facts == {"ok": False, "error": "no result within 0.2 s"}
    assert answered.facts == {"ok": True, "value": 1}


def test_a_probe_that_hangs_costs_another_none_of_its_time(never):
    """The second one ends only when the first has been given up: it had the time for that."""
    given_up = threading.Event()

    def waits_for_the_first():
        assert given_up.wait(10)
        return {"ok": True}

    results = []
    running = threading.Thread(
        target=lambda: results.extend(
            run_side_by_side([Task(0.1, never), Task(30, waits_for_the_first)], 60, grace_seconds=0)
        )
    )
    running.start()
    threading.Timer(0.5, given_up.set).start()
    running.join(30)
    assert [one.facts["ok"] for one in results] == [False, True]


def test_the_whole_has_a_deadline_whatever_time_its_probes_have(never):
    found = run_side_by_side([Task(60, never), Task(60, never), answering()], 0.2)
    assert [one.facts["ok"] for one in found] == [False, False, True]
    assert found[0].facts["error"] == "no result within 0.2 s"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeliveryFailed("connection refused"), "connection refused"),
        (RenderFailed("there is no label x"), "there is no label x"),
    ],
)
def test_what_fails_is_a_result_with_its_reason(error, reason):
    def look():
        raise error

    (found,) = run_side_by_side([Task(5, look)], 5)
    assert found.facts == {"ok": False, "error": reason}


def test_a_mistake_in_one_probe_takes_no_other_with_it():
    broken, answered = run_side_by_side([Task(60, lambda: {}["x"]), answering()], 60)
    assert "the probe itself broke" in broken.facts["error"]
    assert answered.facts["ok"]


def test_nothing_to_look_at_is_no_result():
    assert run_side_by_side([], 5) == []

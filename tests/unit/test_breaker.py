"""A circuit breaker's decisions, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from receiver.domain.action_state import BreakerState
from receiver.domain.breaker import (
    SHORTEST_PROBE_SECONDS,
    Breaker,
    Limits,
    admit,
    after_answer,
    after_failure,
    after_nothing,
    change_after,
)
from receiver.errors import DeliveryFailed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIMITS = Limits(failures=3, seconds=60)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker = after_failure(breaker, NOW, LIMITS)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row():
    breaker = after_failure(after_failure(Breaker(), NOW, LIMITS), NOW, LIMITS)
    assert (breaker.state, breaker.failures) == (BreakerState.CLOSED, 2)
    assert not admit(breaker, NOW, LIMITS).is_open
    assert after_failure(breaker, NOW, LIMITS).state is BreakerState.OPEN


def test_an_answer_between_failures_begins_the_count_anew():
    breaker = after_answer(after_failure(Breaker(), NOW, LIMITS), None)
    assert breaker == Breaker()


def test_an_open_one_says_how_long_the_system_is_left_alone():
    assert admit(opened(), later(20), LIMITS).delay_seconds == 40


def test_after_that_one_action_probes_and_all_others_wait():
    probing = admit(opened(), later(60), LIMITS)
    assert not probing.is_open
    assert probing.breaker.state is BreakerState.HALF_OPEN
    other = admit(probing.breaker, later(61), LIMITS)
    assert other.is_open
    again = admit(probing.breaker, later(61), LIMITS, probe=probing.breaker.probe_until)
    assert not again.is_open
    assert again.breaker == probing.breaker


def test_a_probe_whose_worker_died_is_followed_by_another():
    dead = admit(opened(), later(60), LIMITS).breaker
    following = admit(dead, later(60 + max(SHORTEST_PROBE_SECONDS, 60)), LIMITS)
    assert not following.is_open
    assert following.breaker.probe_until != dead.probe_until


def test_a_probe_that_is_answered_closes_it_and_one_that_is_not_opens_it_for_the_whole_time_again():
    probing = admit(opened(), later(60), LIMITS).breaker
    assert after_answer(probing, probing.probe_until) == Breaker()
    failed = after_failure(probing, later(62), LIMITS)
    assert failed.state is BreakerState.OPEN
    assert admit(failed, later(62), LIMITS).delay_seconds == 60


def test_answers_and_failures_from_before_it_opened_change_nothing():
    late = after_failure(opened(), later(30), LIMITS)
    assert (late.state, late.opened_at) == (BreakerState.OPEN, NOW)
    assert after_answer(opened(), None) == opened()
    probing = admit(opened(), later(60), LIMITS).breaker
    assert after_answer(probing, None) == probing


def test_a_probe_that_never_asked_leaves_the_turn_to_the_next_at_once():
    probing = admit(opened(), later(60), LIMITS).breaker
    left = after_nothing(probing, later(61), probing.probe_until)
    assert not admit(left, later(61), LIMITS).is_open
    assert after_nothing(probing, later(61), None) == probing


@pytest.mark.parametrize(
    ("failure", "failures"),
    [
        (DeliveryFailed("no connection"), 2),
        (DeliveryFailed("too slow", outcome_unknown=True, permanent=True), 2),
        (DeliveryFailed("unwell", http_status=503), 2),
        (DeliveryFailed("too much", http_status=429), 2),
        (DeliveryFailed("not found", permanent=True, http_status=404), 0),
        (DeliveryFailed("somebody was faster", http_status=409), 0),
        (DeliveryFailed("not set up", permanent=True), 1),
    ],
)
def test_what_each_kind_of_failure_says_of_the_system(failure, failures):
    before = after_failure(Breaker(), NOW, LIMITS)
    assert change_after(failure, LIMITS, None)(before, NOW).failures == failures

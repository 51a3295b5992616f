"""When a failed attempt is followed by another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.retry import Backoff, decide_retry
from receiver.errors import DeliveryFailed

BACKOFF = Backoff(base_seconds=2, cap_seconds=600, longest_retry_after_seconds=3600)
ALMOST_ONE = 1 - 2**-53


def most(attempt: int) -> float:
    return BACKOFF.delay_seconds(attempt, lambda: ALMOST_ONE)


def test_the_ceiling_doubles_with_each_attempt_up_to_the_cap():
    assert [round(most(attempt)) for attempt in range(1, 12)] == [
        2,
        4,
        8,
        16,
        32,
        64,
        128,
        256,
        512,
        600,
        600,
    ]


def test_jitter_is_full_so_that_failures_of_one_moment_spread_out():
    assert BACKOFF.delay_seconds(5, lambda: 0.0) == 0
    assert BACKOFF.delay_seconds(5, lambda: 0.5) == 16


@given(st.integers(1, 100_000), st.floats(0, ALMOST_ONE))
def test_no_attempt_number_leaves_the_bounds(attempt, draw):
    assert 0 <= BACKOFF.delay_seconds(attempt, lambda: draw) <= 600


def test_a_transient_failure_is_tried_again_and_says_why():
    decision = decide_retry(DeliveryFailed("HTTP 503"), 1, 10, BACKOFF, lambda: 0.5)
    assert (decision.delay_seconds, decision.reason) == (1.0, "HTTP 503")


def test_a_permanent_failure_is_dead_at_once():
    decision = decide_retry(DeliveryFailed("channel_not_found", permanent=True), 1, 10, BACKOFF)
    assert (decision.delay_seconds, decision.reason) == (None, "channel_not_found")


def test_retry_after_cannot_revive_a_permanent_failure():
    failure = DeliveryFailed("gone", permanent=True, retry_after_seconds=5)
    assert decide_retry(failure, 1, 10, BACKOFF).delay_seconds is None


@pytest.mark.parametrize(("attempt", "is_last"), [(9, False), (10, True), (11, True)])
def test_the_last_attempt_is_followed_by_none(attempt, is_last):
    decision = decide_retry(DeliveryFailed("HTTP 500"), attempt, 10, BACKOFF)
    assert (decision.delay_seconds is None) == is_last
    assert decision.reason.startswith("gave up after") == is_last


@given(st.floats(0, ALMOST_ONE), st.integers(1, 9))
def test_nobody_comes_back_before_the_time_that_was_asked_for(draw, attempt):
    failure = DeliveryFailed("HTTP 429", retry_after_seconds=30)
    delay = decide_retry(failure, attempt, 10, BACKOFF, lambda: draw).delay_seconds
    assert delay is not None
    assert delay >= 30


def test_a_service_cannot_ask_for_more_silence_than_an_hour():
    failure = DeliveryFailed("HTTP 429", retry_after_seconds=1e9)
    assert decide_retry(failure, 1, 10, BACKOFF, lambda: 0.0).delay_seconds == 3600

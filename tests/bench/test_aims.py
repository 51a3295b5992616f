"""A figure is not said to be met that is not."""

from __future__ import annotations

import pytest

from bench.aims import at_least, under


@pytest.mark.parametrize(
    ("value", "verdict"), [(3000.0, "met"), (2999.0, "missed, 1.0 x"), (1000.0, "missed, 3.0 x")]
)
def test_a_rate_is_met_from_its_bound_on(value, verdict):
    assert at_least(3000).verdict(value) == verdict


@pytest.mark.parametrize(
    ("value", "verdict"), [(24.9, "met"), (25.0, "missed, 1.0 x"), (50.0, "missed, 2.0 x")]
)
def test_a_latency_is_met_below_its_bound(value, verdict):
    assert under(25).verdict(value) == verdict


def test_nothing_at_all_is_missed():
    assert at_least(3000).verdict(0.0) == "missed"


def test_what_is_aimed_at_is_told_in_words():
    assert (at_least(3000).text(), under(25).text()) == ("3,000", "under 25")

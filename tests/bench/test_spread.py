"""The arithmetic of the figures."""

from __future__ import annotations

import statistics

import pytest

from bench.spread import Spread, percentile, spread


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent, value):
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_the_p99_of_a_few_values_is_the_largest():
    assert percentile([3, 9, 4], 99) == 9


def test_one_value_is_each_of_its_percentiles():
    assert percentile([7], 50) == percentile([7], 99) == 7


def test_nothing_has_no_percentile():
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_the_spread_is_median_lowest_and_highest():
    assert spread([5, 1, 9]) == Spread(median=5, lowest=1, highest=9)
    assert spread([1, 2, 3, 10]).median == 2.5


def test_no_runs_have_no_spread():
    with pytest.raises(statistics.StatisticsError):
        spread([])

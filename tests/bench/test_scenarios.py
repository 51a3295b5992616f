"""The lines of the table are what their titles say."""

from __future__ import annotations

import itertools

from bench.scenarios import SCENARIOS, all_new, mostly_repeats

SOME = 20_000


def test_no_number_comes_twice_where_all_are_new():
    numbers = list(itertools.islice(all_new(), SOME))
    assert len(set(numbers)) == SOME


def test_four_of_five_repeat_one_of_the_same_200():
    numbers = list(itertools.islice(mostly_repeats(), SOME))
    repeated = [number for number in numbers if number <= 200]
    assert set(repeated) == set(range(1, 201))
    assert 0.79 < len(repeated) / SOME < 0.81
    assert len(set(numbers)) == 200 + SOME - len(repeated)


def test_every_run_sends_the_same_order():
    assert list(itertools.islice(mostly_repeats(), 100)) == list(itertools.islice(mostly_repeats(), 100))


def test_names_are_unique():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)

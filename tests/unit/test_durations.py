"""Durations say exactly what sorting all of them says, in however many runs they come."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from receiver.domain.durations import Durations, packed, unpacked


def plain(values: list[int]) -> tuple[float | None, ...]:
    if not values:
        return None, None, None
    ninth = sorted(values)[math.ceil(len(values) * 9 / 10) - 1]
    return statistics.fmean(values), statistics.median(values), ninth


def in_runs(runs: list[list[int]]) -> Durations:
    found = Durations()
    for run in runs:
        found.add_run(unpacked(packed([sorted(run)])), sum(run))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_mean_median_and_ninth_tenth_are_those_of_all_numbers_together(seed: int) -> None:
    chance = random.Random(seed)
    longest = chance.choice((3, 40, 3000))
    high = chance.choice((1, 50, 2**32 - 1))
    runs = [
        [chance.randint(0, high) for _ in range(chance.randint(0, longest))]
        for _ in range(chance.randint(0, 9))
    ]
    if seed % 3 == 0 and runs:  # a day unlike the others
        runs.append([high] * longest)
    values = [one for run in runs for one in run]
    assert in_runs(runs).summary() == pytest.approx(plain(values))


def test_texts_of_the_database_are_numbers_like_others() -> None:
    found = in_runs([[7, 7, 30]])
    found.add("12,7,100")
    found.add(None)
    found.add("")
    assert found.number == 6
    assert found.summary() == pytest.approx(plain([7, 7, 30, 12, 7, 100]))


def test_numbers_are_packed_in_one_way_on_every_machine() -> None:
    assert packed([[1, 258], [2**32 - 1]]) == b"\x01\0\0\0\x02\x01\0\0\xff\xff\xff\xff"
    assert list(unpacked(packed([[1, 258], [], [5]]))) == [1, 258, 5]

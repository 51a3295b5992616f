"""Cleaning up takes what the database has to spare: batches that take long shrink, and rests are longer than work."""

from __future__ import annotations

from receiver.domain.batch_pace import LEAST_ROWS, MOST_ROWS, BatchPace


def test_short_batches_grow_to_the_most_and_long_ones_shrink_to_the_least() -> None:
    pace = BatchPace()
    for _ in range(100):
        pace.after(0.001)
    assert pace.rows == MOST_ROWS
    pace.after(0.2)
    assert pace.rows == MOST_ROWS // 2
    for _ in range(100):
        pace.after(0.2)
    assert pace.rows == LEAST_ROWS


def test_it_comes_to_rest_where_a_batch_takes_neither_long_nor_hardly_any_time() -> None:
    pace, seconds_a_row = BatchPace(), 0.00015
    sizes = []
    for _ in range(200):
        sizes.append(pace.rows)
        pace.after(pace.rows * seconds_a_row)
    assert len(set(sizes[100:])) == 1
    assert 0.02 < sizes[-1] * seconds_a_row < 0.05


def test_others_have_half_of_the_time_and_more_where_the_database_is_slow() -> None:
    for seconds in (0.0, 0.01, 0.04):
        assert BatchPace().after(seconds) >= seconds
    for seconds in (0.06, 0.3, 0.9):
        assert BatchPace().after(seconds) >= 2 * seconds
    assert BatchPace().after(60.0) <= 2.0


def test_a_batch_of_one_row_stays_one() -> None:
    pace = BatchPace(most=1, least=1)
    for seconds in (0.0, 1.0, 0.0):
        pace.after(seconds)
        assert pace.rows == 1

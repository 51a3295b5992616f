"""`< 0.9`: what a value must fulfil."""

from __future__ import annotations

import math

import pytest

from receiver.domain.comparison import read_comparison


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("< 0.9", 0.89, True),
        ("< 0.9", 0.9, False),
        ("<=0.9", 0.9, True),
        (" > 5 ", 6, True),
        (">= 1e3", 1000, True),
        ("== 0", 0, True),
        ("!= -1", -1, False),
        ("!= 1", math.nan, False),
    ],
)
def test_a_value_is_held_against_a_limit(text: str, value: float, holds: bool) -> None:
    comparison = read_comparison(text)
    assert comparison is not None and comparison.holds(value) is holds


@pytest.mark.parametrize("text", ["", "0.9", "< ", "=< 3", "< much", "< nan", "< inf", "< 1 or true", "=~ 1"])
def test_what_is_no_comparison_is_none(text: str) -> None:
    assert read_comparison(text) is None


def test_it_reads_as_it_was_written() -> None:
    assert str(read_comparison("<0.90")) == "< 0.9"

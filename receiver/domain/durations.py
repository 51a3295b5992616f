"""What many durations say all in all. They come in runs, each sorted: a run for each day that was counted before."""

from __future__ import annotations

import itertools
import math
import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

# Few numbers are sorted. Of many the value at a rank is sought by halving the range in which it lies: that looks at a
# few numbers of each run.
_SORTED_UP_TO = 40


@dataclass(slots=True)
class Durations:
    """Whole seconds, not negative."""

    runs: list[Sequence[int]] = field(default_factory=list)
    number: int = 0
    total: int = 0

    def add(self, texts: str | None) -> None:
        """Take in numbers as a database joins them: `12,7,12`; None for none at all."""
        if texts:
            run = sorted(map(int, texts.split(",")))
            self.add_run(run, sum(run))

    def add_run(self, run: Sequence[int], total: int) -> None:
        """Take in numbers in ascending order, whose sum is known."""
        if run:
            self.runs.append(run)
            self.number += len(run)
            self.total += total

    def mean(self) -> float | None:
        """Their arithmetic mean."""
        return self.total / self.number if self.number else None

    def summary(self) -> tuple[float | None, float | None, float | None]:
        """Mean, median (of an even number the mean of the middle two) and 90th percentile (nearest rank)."""
        number = self.number
        if not number:
            return None, None, None
        if number < _SORTED_UP_TO * len(self.runs):
            self.runs = [sorted(itertools.chain.from_iterable(self.runs))]
        middle = number // 2 + 1
        low = self._at((number + 1) // 2)
        high = low if self._up_to(low) >= middle else self._at(middle)
        return self.mean(), (low + high) / 2, float(self._at(math.ceil(number * 9 / 10)))

    def _at(self, rank: int) -> int:
        """The value at this rank (from 1) in ascending order."""
        if len(self.runs) == 1:
            return self.runs[0][rank - 1]
        # In some run the value that stands as far along as the rank does in all is not above the one that is sought,
        # in some it is not below it.
        along = [run[(rank - 1) * len(run) // self.number] for run in self.runs]
        low, high = min(along), max(along)
        if self._up_to(low) >= rank:
            low, high = 0, low
        while low < high:
            middle = (low + high) // 2
            if self._up_to(middle) >= rank:
                high = middle
            else:
                low = middle + 1
        return low

    def _up_to(self, value: int) -> int:
        """How many there are that are not above `value`."""
        return sum([bisect_right(run, value) for run in self.runs])


def packed(runs: Sequence[Sequence[int]]) -> bytes:
    """Numbers below 2**32, run after run, four bytes each, the least significant first."""
    return b"".join(_turned(array("I", run)).tobytes() for run in runs)


def unpacked(data: bytes) -> Sequence[int]:
    """The numbers of `packed`."""
    found = array("I")
    found.frombytes(data)
    return _turned(found)


def _turned(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers

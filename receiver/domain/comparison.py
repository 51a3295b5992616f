"""`< 0.9`: what a value must fulfil, as rules and diagnoses write it. Pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_SHAPE = re.compile(r"\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<limit>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A sign and a limit."""

    sign: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether the value fulfils it. What is no number (NaN: a query without data) fulfils nothing."""
        return not math.isnan(value) and _SIGNS[self.sign](value, self.limit)

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"


def read_comparison(text: str) -> Comparison | None:
    """The comparison in `text`, None where it is none."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    try:
        limit = float(found["limit"])
    except ValueError:
        return None
    return Comparison(found["sign"], limit) if math.isfinite(limit) else None

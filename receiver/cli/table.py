"""Columns for people: as wide as their widest cell, two spaces apart. Nothing in a cell can steer the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Controls, with which escape sequences begin, and what turns the direction of a line around: labels may hold them.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHOWN = "\ufffd"


def table(rows: Iterable[Sequence[str]], heading: Sequence[str] = ()) -> str:
    """The rows as lines, under `heading` if there is one. The last column is not padded."""
    lines = [[_STEERING.sub(_SHOWN, cell) for cell in row] for row in ([heading, *rows] if heading else rows)]
    widths = [max(map(len, column)) for column in zip(*(line[:-1] for line in lines), strict=True)]
    padded = (
        [*(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)), line[-1]]
        for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)

"""Columns for people: as wide as their widest cell, two spaces apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(rows: Iterable[Sequence[str]], heading: Sequence[str] = ()) -> str:
    """The rows as lines, under `heading` if there is one. The last column is not padded."""
    lines = [heading, *rows] if heading else list(rows)
    widths = [max(map(len, column)) for column in zip(*(line[:-1] for line in lines), strict=True)]
    padded = (
        [*(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)), line[-1]]
        for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)

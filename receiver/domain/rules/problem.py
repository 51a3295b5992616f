"""A mistake in a rules file: where it stands, what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Line and column count from 1, as editors do."""

    line: int
    column: int
    text: str

    def at(self, file: str) -> str:
        """`FILE:LINE:COLUMN: text`."""
        return f"{file}:{self.line}:{self.column}: {self.text}"


def quoted(text: str) -> str:
    """What the file says, for a message: on one line, cut where it is long, any character safe to print."""
    cut = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    mark = "'" if '"' in cut else '"'
    return mark + "".join(one if one.isprintable() else ascii(one)[1:-1] for one in cut) + mark


def unknown(what: str, text: str, known: Iterable[str]) -> str:
    """`unknown WHAT "text"`, with the nearest known name, or with all of them."""
    names = sorted(known)
    near = {name.casefold(): name for name in names}
    close = get_close_matches(text.casefold()[:_LONGEST_QUOTE], near, n=1)
    advice = f'did you mean "{near[close[0]]}"?' if close else f"known are {', '.join(names)}"
    return f"unknown {what} {quoted(text)}; {advice}"

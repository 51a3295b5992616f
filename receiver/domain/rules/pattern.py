"""Patterns of rules: RE2, which takes time in proportion to the text whatever the pattern is; anchored at both ends."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import re2

LONGEST_PATTERN = 1000
# Alerts keep bringing the same values. Only short ones are remembered, so that no sender decides how much memory goes.
_REMEMBERED = 128
_LONGEST_REMEMBERED = 128
_MEMORY_BYTES = 1 << 20
_SPECIAL = frozenset(string.punctuation) - frozenset("_-/:;,<>=!@#%&~\"'`")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`matches` tells whether a whole text is meant. `literals`: all texts that are, where that is a short list."""

    matches: Callable[[str], bool]
    literals: frozenset[str] | None = None


@cache
def compile_pattern(text: str) -> Pattern | str:
    """The pattern as a test of whole texts, as in Alertmanager; or what is wrong with it, in plain words."""
    if len(text) > LONGEST_PATTERN:
        return f"the pattern has {len(text)} characters, {LONGEST_PATTERN} are allowed"
    try:
        compiled = re2.compile(text, _options())
    except re2.error as error:
        return (
            f"the pattern is not one of RE2 ({_reason(error)}); see https://github.com/google/re2/wiki/Syntax"
        )
    begin = _certain_begin(text)
    matches = _remembering(lambda value: compiled.fullmatch(value) is not None)
    # Most texts are told apart by their first letters, which costs a tenth of a call of the engine.
    return _without_engine(text) or Pattern(lambda value: value.startswith(begin) and matches(value))


def _without_engine(text: str) -> Pattern | None:
    """The commonest forms, `a|b` and `a.*`, need no engine: a call of it costs more than the rest of a rule."""
    if not _SPECIAL & set(text.replace("|", "")):
        alternatives = frozenset(text.split("|"))
        return Pattern(alternatives.__contains__, alternatives)
    begin, rest = text[:-2], text[-2:]
    if rest == ".*" and not _SPECIAL & set(begin):
        length = len(begin)
        # `.` is any character but a line feed.
        return Pattern(lambda value: value.startswith(begin) and value.find("\n", length) < 0)
    return None


def _certain_begin(text: str) -> str:
    """Letters with which every text that is meant begins, as far as that is plain to see; often none."""
    length = next((position for position, one in enumerate(text) if one in _SPECIAL), len(text))
    rest = text[length:]
    if "|" in rest and ("\\" in rest or "[" in rest or not _is_inside(rest)):
        return ""
    # What comes before ?, * or {0} may be missing.
    return text[: length - 1] if rest[:1] in ("?", "*", "{") and length else text[:length]


def _is_inside(text: str) -> bool:
    """Whether every `|` stands in parentheses, of a text without escapes and character classes."""
    depth = 0
    for one in text:
        depth += (one == "(") - (one == ")")
        if one == "|" and depth == 0:
            return False
    return True


def _remembering(matches: Callable[[str], bool]) -> Callable[[str], bool]:
    remembered = lru_cache(_REMEMBERED)(matches)
    return lambda value: (remembered if len(value) <= _LONGEST_REMEMBERED else matches)(value)


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # it would write them to stderr, and the file's author hears of them from us
    options.max_mem = _MEMORY_BYTES
    return options


def _reason(error: re2.error) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)

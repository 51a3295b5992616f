"""The outline of a JSON text: where its pieces begin and end, without recursion and without understanding any.

For texts that a JSON parser refuses as a whole although only a piece of them is bad (NaN, half of a surrogate
pair, nesting beyond the recursion limit): the other pieces can still be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum

import msgspec

_SPACE = rb"[ \t\n\r]*+"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_OPENING = re.compile(_SPACE + rb"[\[{]" + _SPACE)
_KEY = re.compile(_SPACE + rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE, re.DOTALL)
_NO_KEY = re.compile(rb"()")
_NEXT_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)
_SCALAR = re.compile(_STRING + rb'|[^ \t\n\r",:\[\]{}]++', re.DOTALL)
_SEPARATOR = re.compile(_SPACE + rb"([,\]}])" + _SPACE)
_CLOSING_OF = {b"{": b"}", b"[": b"]"}

_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
_TEXT = msgspec.json.Decoder(str)
_KINDS = {b"{": "an object", b"[": "a list", b'"': "text", b"t": "a boolean", b"f": "a boolean", b"n": "null"}


class Flaw(Enum):
    """Why a parser refuses a piece. Only SYNTAX means that it is no JSON at all."""

    SYNTAX = "is not JSON"
    NOT_A_NUMBER = "holds NaN or Infinity, which JSON does not have"
    HALF_SURROGATE = "holds half of a surrogate pair"
    TOO_DEEP = "is nested too deeply"


def kind_of(piece: bytes) -> str:
    """What the JSON value `piece` is, with its article; only its first character is looked at."""
    return _KINDS.get(piece[:1], "a number")


def flaw_of(piece: bytes) -> Flaw | None:
    """Why `piece` cannot be read, or None where nothing is wrong with it."""
    try:
        _ANYTHING.decode(piece)
    except RecursionError:
        return Flaw.TOO_DEEP
    except msgspec.DecodeError:
        return _flaw_by_the_lenient_parser(piece)
    return None


def refusal_of(piece: bytes) -> str:
    """The parser's own words on why it refuses `piece`; the empty string where it does not."""
    try:
        _ANYTHING.decode(piece)
    except (msgspec.DecodeError, RecursionError) as refused:
        return str(refused)
    return ""


def _flaw_by_the_lenient_parser(piece: bytes) -> Flaw:
    # The standard library's parser takes NaN, Infinity and half surrogate pairs; what it refuses too is no JSON.
    # Latin-1 takes any byte, and numbers stay text: their size is not the question here.
    constants: list[str] = []
    try:
        json.loads(piece.decode("latin-1"), parse_int=str, parse_float=str, parse_constant=constants.append)
    except RecursionError:
        return Flaw.TOO_DEEP
    except ValueError:
        return Flaw.SYNTAX
    return Flaw.NOT_A_NUMBER if constants else Flaw.HALF_SURROGATE


def members(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and value of each member of the object `text`, values as exact slices; an unreadable name is "".

    Raises ValueError where the outline is not that of an object, RecursionError beyond 100,000 levels.
    """
    for key, piece in _pieces(text, _KEY):
        yield _name(key), piece


def elements(text: bytes) -> Iterator[bytes]:
    """The elements of the list `text` as exact slices. Raises as `members` does."""
    for _, piece in _pieces(text, _NO_KEY):
        yield piece


def _pieces(text: bytes, head_pattern: re.Pattern[bytes]) -> Iterator[tuple[bytes, bytes]]:
    opening = _expect(_OPENING, text, 0)
    closing = _CLOSING_OF[opening[0].strip()]
    at = opening.end()
    if text[at : at + 1] == closing:
        separator = _expect(_SEPARATOR, text, at)
    else:
        while True:
            head = _expect(head_pattern, text, at)
            end = _end_of_value(text, head.end())
            yield head[1], text[head.end() : end]
            separator = _expect(_SEPARATOR, text, end)
            at = separator.end()
            if separator[1] != b",":
                break
    if separator[1] != closing or separator.end() != len(text):
        raise ValueError("the wrong bracket, or something after the last one")


# Deeper than this no sender nests; without a bound, a body of nothing but brackets would cost seconds.
_DEEPEST = 100_000


def _end_of_value(text: bytes, start: int) -> int:
    if text[start : start + 1] not in _CLOSING_OF:
        return _expect(_SCALAR, text, start).end()
    depth, at = 0, start
    while True:
        bracket = _expect(_NEXT_BRACKET, text, at)
        at = bracket.end()
        depth += 1 if bracket[1] in _CLOSING_OF else -1
        if depth == 0:
            return at
        if depth > _DEEPEST:
            raise RecursionError(Flaw.TOO_DEEP.value)


def _expect(pattern: re.Pattern[bytes], text: bytes, at: int) -> re.Match[bytes]:
    match = pattern.match(text, at)
    if match is None:
        raise ValueError("something else than the outline of JSON")
    return match


def _name(key: bytes) -> str:
    try:
        return _TEXT.decode(key)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""

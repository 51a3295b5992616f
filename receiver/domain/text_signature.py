"""Which parts many texts have, in few bytes: tells where a search need not look. It never hides a text that matches.

Every three characters in a row are one bit of the signature, found by a hash. A searched text that has three characters
in a row whose bit is not set stands in none of the texts.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterable

BYTES = 16_384
_LENGTH = 3
# Databases compare without case, and some without accents: which other character counts as the same letter is theirs to
# know. So whatever is not plain stands for any character.
_ANY = "\0"
_NOT_PLAIN = re.compile(r"[^ -~]")


def signature_of(texts: Iterable[str]) -> bytes:
    """The signature of all these texts together."""
    parts: set[str] = set()
    for text in texts:
        folded = _folded(text)
        parts.update(map("".join, zip(folded, folded[1:], folded[2:], strict=False)))
    bits = bytearray(BYTES)
    for part in parts:
        place = _place(part)
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


class Sought:
    """A searched text, for the question whether a signature may have it."""

    def __init__(self, text: str) -> None:
        folded = _folded(text)
        parts = {folded[start : start + _LENGTH] for start in range(len(folded) - _LENGTH + 1)}
        self._places = [
            [_place("".join(one)) for one in itertools.product(*((letter, _ANY) for letter in part))]
            for part in sorted(parts)
            if _ANY not in part
        ]

    @property
    def is_telling(self) -> bool:
        """Whether signatures can rule this text out at all."""
        return bool(self._places)

    def may_be_in(self, signature: bytes) -> bool:
        """Whether some of the texts may have it."""
        return all(
            any(signature[place >> 3] >> (place & 7) & 1 for place in places) for places in self._places
        )


def _folded(text: str) -> str:
    return _NOT_PLAIN.sub(_ANY, text).lower()


def _place(part: str) -> int:
    return zlib.crc32(part.encode()) % (BYTES * 8)

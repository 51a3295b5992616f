"""JSON values as text: what a label is, whatever type a template gave it."""

from __future__ import annotations

import msgspec

_TEXT = msgspec.json.Decoder(str)


def text_of(piece: bytes) -> str | None:
    """The JSON value `piece` as text: numbers and booleans as written, null as "". None if it has parts.

    Raises msgspec.DecodeError or UnicodeDecodeError for a string that cannot be read.
    """
    first = piece[:1]
    if first == b'"':
        return _TEXT.decode(piece)
    if first in (b"{", b"["):
        return None
    return "" if piece == b"null" else piece.decode("ascii")

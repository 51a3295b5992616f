"""Several texts out of one run of bytes, for targets that take more than one."""

from __future__ import annotations

SEPARATOR = b"\x1e"


def pieces(data: bytes, count: int) -> list[bytes]:
    """Exactly `count` pieces of `data`, which a record separator divides; what is missing is empty."""
    found = data.split(SEPARATOR, count - 1)
    return found + [b""] * (count - len(found))


def texts(data: bytes, count: int) -> list[str]:
    """The same as texts. They hold no surrogates: sources refuse what does."""
    return [piece.decode("utf-8", "replace") for piece in pieces(data, count)]

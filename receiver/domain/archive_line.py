"""The lines of an archive: JSON, one document a line. docs/operations.md describes them for who reads them.

First a Header, then a Line for each row that goes, last a Footer by which a cut or changed file is noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

VERSION = 1
Goes = Literal["row", "body"]
BODY: Goes = "body"
# Changed by removing rows that belong to these; so they do not say that a row is another one than was archived.
_MOVING = frozenset({"alerts_pruned"})


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """The first line. `before`: what was older than these moments went, by the setting's name."""

    archive: Literal["receiver"]
    version: int
    revision: str
    made_at: datetime
    before: dict[str, datetime]


class Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One row. `of`: the incident it goes with. `goes`: the whole row, or of a delivery only the body."""

    table: str
    key: str | int
    row: msgspec.Raw
    of: str | None = None
    goes: Goes = "row"


class Footer(msgspec.Struct, forbid_unknown_fields=True):
    """The last line: how many lines there are of each kind, and the SHA-256 of all bytes before it."""

    end: Literal[True]
    lines: int
    rows: dict[str, int]
    sha256: str


_encoder = msgspec.json.Encoder()
_row = msgspec.json.Decoder(dict[str, Any])


def encode_row(row: Mapping[Any, Any]) -> bytes:
    """A row as JSON: times in RFC 3339 with microseconds, bytes in base64."""
    return _encoder.encode({str(column): value for column, value in row.items()})


def digest(row: bytes) -> bytes:
    """By this a row is known to be the one that was archived: the SHA-256 of it but for its counts of pruned alerts."""
    if b'"alerts_pruned"' in row:
        row = _encoder.encode(
            {name: value for name, value in _row.decode(row).items() if name not in _MOVING}
        )
    return hashlib.sha256(row).digest()

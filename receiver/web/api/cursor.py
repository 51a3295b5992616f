"""Cursors: where a page ended, as a text that clients hand back and do not read."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

import msgspec

from receiver.errors import InvalidField
from receiver.storage.incident_queries import After

_LONGEST = 200
_decoder = msgspec.json.Decoder(tuple[str, str, str])


def after_row(kind: str, moment: datetime, row_id: str) -> str:
    """The cursor behind a row of the list `kind`, which is ordered by time and id."""
    return _encode(kind, moment.isoformat(), row_id)


def after_event(event_id: int) -> str:
    """The cursor behind an event of a timeline."""
    return _encode("timeline", "", str(event_id))


def read_row(kind: str, cursor: str | None) -> After | None:
    """Where the next page of the list `kind` begins; None for the first. Raises InvalidField."""
    if cursor is None:
        return None
    _, moment, row_id = _decode(kind, cursor)
    try:
        return After(datetime.fromisoformat(moment).astimezone(UTC), row_id)
    except (ValueError, OverflowError):
        raise _wrong() from None


def read_event(cursor: str | None) -> int:
    """The id of the last event of the page before; 0 for the first page. Raises InvalidField."""
    if cursor is None:
        return 0
    number = _decode("timeline", cursor)[2]
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise _wrong()
    return int(number)


def _encode(*parts: str) -> str:
    return urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


def _decode(kind: str, cursor: str) -> tuple[str, str, str]:
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise _wrong()
    try:
        parts = _decoder.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        raise _wrong() from None
    if parts[0] != kind or not parts[2].isascii():
        raise _wrong()
    return parts


def _wrong() -> InvalidField:
    return InvalidField("cursor", "is not a next_cursor of this list; leave it out for the first page")

"""Times as Go programs write them: RFC 3339, 0 to 9 fraction digits, any offset.

See https://pkg.go.dev/time#RFC3339Nano.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_LONGEST = 40  # 2006-01-02T15:04:05.999999999+07:00 has 35 characters
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_FURTHEST_AHEAD = timedelta(days=1)


def parse_time(text: str | None) -> datetime | None:
    """The time in `text`, in UTC, cut to microseconds.

    None where it is missing, Go's zero time (0001-01-01T00:00:00Z, meaning "none") or any other before 2000, without
    an offset, or no time at all.
    """
    if not text or len(text) > _LONGEST:
        return None
    return _parse(text)


def parse_start(text: str | None, latest: datetime) -> datetime | None:
    """The start time in `text`; None also where it lies after `latest`.

    A start far in the future cannot be true, and after it every later firing of the alert would count as late.
    """
    moment = parse_time(text)
    return moment if moment is None or moment <= latest else None


def latest_start(received_at: datetime) -> datetime:
    """The last start that an alert received at `received_at` may claim: a day ahead, for clocks that are off."""
    return received_at + _FURTHEST_AHEAD


@lru_cache(maxsize=1024)  # the alerts of a group mostly share their start, and repeats come with the same one
def _parse(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.upper())  # RFC 3339 allows a small t and z
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February, +25:00; the zero time with an offset
        return None
    return moment if moment >= _EARLIEST else None

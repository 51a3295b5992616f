"""Periods as people give them: `30d`, `2026-11-01`, `2026-11-01T08:00Z`; all in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta

from receiver.clock import as_utc

_AGO = re.compile(r"(\d{1,5})\s*(m|h|d|w)", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, until just before `until`."""

    since: datetime
    until: datetime

    def whole_hours(self) -> Period:
        """The shortest period of whole hours that has all of it."""
        until = _hour(self.until)
        return Period(_hour(self.since), until if until == self.until else until + _HOUR)

    def whole_days(self) -> Period | None:
        """The days that lie in it altogether; None if there is none."""
        since, until = _day(self.since), _day(self.until)
        if since < self.since:
            since += timedelta(days=1)
        return Period(since, until) if since < until else None


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that `text` means: so long ago, a day (its beginning), or a time, UTC unless it says otherwise.

    Raises ValueError, with what would be right.
    """
    if found := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = as_utc(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        raise ValueError(
            "must be so long ago (90m, 12h, 30d, 8w), a day (2026-11-01) or a time (2026-11-01T08:00Z)"
        ) from None
    if moment.year == MAXYEAR:
        raise ValueError("must be before the year 9999")  # the hour that it ends in has no end
    return moment


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    return _hour(moment).replace(hour=0)

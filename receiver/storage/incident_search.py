"""Where a search of incidents by text need not look: days whose signature tells that no incident of theirs matches.

An incident's texts never change, so a signature misses nothing but incidents that were stored after it was made, with a
time of opening in a day that was over: those are the newest by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from receiver.domain.incident import incident_number
from receiver.domain.text_signature import Sought
from receiver.storage import report_days
from receiver.storage.tables import incidents

# Numbers are handed out within transactions: so many may be on their way to COMMIT when a signature is made.
_ON_THEIR_WAY = 2000
_DAY = timedelta(days=1)
_own = incidents.c


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Matches opened outside of `empty` (stretches of time, in order), or have a higher number than `newest`."""

    empty: Sequence[tuple[datetime, datetime]]
    newest: int

    def outside(self) -> ColumnElement[bool]:
        """The condition that an incident did not open in a stretch that is known to hold no match."""
        parts = [_own.opened_at < self.empty[0][0], _own.opened_at >= self.empty[-1][1]]
        for (_, since), (until, _) in zip(self.empty, self.empty[1:], strict=False):
            parts.append(and_(_own.opened_at >= since, _own.opened_at < until))
        return or_(*parts)

    def later(self) -> ColumnElement[bool]:
        """The condition that an incident may have been stored after the signatures were made."""
        return _own.number > self.newest


def narrowed(connection: Connection, text: str) -> Narrowed | None:
    """Where to look for incidents with this text; None: everywhere."""
    sought = Sought(text)
    if not sought.is_telling:
        return None
    known = _day_by_number(connection, text)
    empty: list[tuple[datetime, datetime]] = []
    newest = None
    for day, signature, number in report_days.signatures(connection):
        if day == known or sought.may_be_in(signature):
            continue
        newest = number if newest is None else min(newest, number)
        if empty and empty[-1][1] == day:
            empty[-1] = (empty[-1][0], day + _DAY)
        else:
            empty.append((day, day + _DAY))
    return None if newest is None else Narrowed(empty, newest - _ON_THEIR_WAY)


def _day_by_number(connection: Connection, text: str) -> datetime | None:
    """The day of the incident whose number the text is: it matches, whatever its texts are."""
    number = incident_number(text)
    if number is None:
        return None
    moment = connection.execute(select(_own.opened_at).where(_own.number == number)).scalar()
    return None if moment is None else report_days.day_of(moment)

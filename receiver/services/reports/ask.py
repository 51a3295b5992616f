"""Asks for a report: reads what people gave, checks that the report can be asked that, and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from receiver.domain.period import Period, moment_of
from receiver.domain.report import Report
from receiver.errors import InvalidField, UnknownReport
from receiver.services.incident_list import asking
from receiver.services.reports.base import MOST_ROWS, Question, ReportKind
from receiver.services.reports.registry import REPORTS
from receiver.storage import rollups
from receiver.storage.report_places import Places

DEFAULT_SINCE = "7d"
DEFAULT_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What people gave, as they gave it. `until` empty: now. `by` empty: as the report does by itself."""

    since: str = DEFAULT_SINCE
    until: str = ""
    by: str = ""
    limit: int = DEFAULT_LIMIT
    services: Sequence[str] = field(default_factory=tuple)
    clusters: Sequence[str] = field(default_factory=tuple)
    namespaces: Sequence[str] = field(default_factory=tuple)
    rules: Sequence[str] = field(default_factory=tuple)


def report(engine: Engine, name: str, wish: Wish, now: datetime) -> Report:
    """The report of this name. Raises UnknownReport, InvalidField, StorageUnavailable."""
    if name not in REPORTS:
        raise UnknownReport(f"there is no report {name!r}; there are {', '.join(REPORTS)}")
    kind = REPORTS[name]
    places = Places(wish.services, wish.clusters, wish.namespaces, wish.rules)
    if places.named() and not kind.has_places:
        raise InvalidField(
            next(iter(places.named())),
            f"{name} counts all services, clusters, namespaces and rules together: leave it out",
        )
    period, by = _period(wish, now), _grouping(kind, wish)
    if not 1 <= wish.limit <= MOST_ROWS:
        raise InvalidField("limit", f"must be from 1 to {MOST_ROWS}")
    if kind.has_whole_hours:
        period = period.whole_hours()
    with asking(engine) as connection:
        counted_at = rollups.last_look(connection)
        found = kind.find(connection, Question(period, by, wish.limit, places))
    return Report(name, kind.title, period.since, period.until, found.sections, found.notes, counted_at)


def _period(wish: Wish, now: datetime) -> Period:
    since, until = _moment("since", wish.since, now), _moment("until", wish.until, now) if wish.until else now
    if since >= until:
        raise InvalidField("since", "must be before until")
    return Period(since, until)


def _moment(field_: str, text: str, now: datetime) -> datetime:
    try:
        return moment_of(text, now)
    except ValueError as error:
        raise InvalidField(field_, str(error)) from None


def _grouping(kind: ReportKind, wish: Wish) -> str:
    if not wish.by:
        return kind.groupings[0] if kind.groupings else ""
    if wish.by not in kind.groupings:
        known = f"must be one of {', '.join(kind.groupings)}" if kind.groupings else "cannot be chosen here"
        raise InvalidField("by", f"{known} for {kind.name}")
    return wish.by

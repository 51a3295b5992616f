"""What people look up: incidents in pages, one of them, its alerts, its timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from receiver.errors import StorageUnavailable, UnknownIncident
from receiver.storage import incident_queries
from receiver.storage.engine import is_unreachable, reading
from receiver.storage.incident_queries import After, IncidentFilter

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and whether more follow after the last of them."""

    rows: Sequence[Row]
    has_more: bool


def find(engine: Engine, wanted: IncidentFilter, after: After | None, limit: int) -> Page:
    """Incidents, newest first. Raises StorageUnavailable when the database cannot be asked."""
    with asking(engine) as connection:
        return _page(incident_queries.page(connection, wanted, after, limit + 1), limit)


def one(engine: Engine, reference: str) -> Row:
    """The incident with this id or number. Raises UnknownIncident, StorageUnavailable."""
    with asking(engine) as connection:
        return known(connection, reference)


def alerts(engine: Engine, reference: str, after: After | None, limit: int, *, raw: bool = False) -> Page:
    """The incident's alerts, newest first; `raw`: with each one's original JSON text.

    Raises UnknownIncident, StorageUnavailable.
    """
    with asking(engine) as connection:
        incident_id = known(connection, reference)["incident_id"]
        return _page(incident_queries.alerts_of(connection, incident_id, after, limit + 1, raw=raw), limit)


def timeline(engine: Engine, reference: str, after_event: int, limit: int) -> Page:
    """The incident's events in the order in which they happened. Raises UnknownIncident, StorageUnavailable."""
    with asking(engine) as connection:
        incident_id = known(connection, reference)["incident_id"]
        return _page(incident_queries.timeline_of(connection, incident_id, after_event, limit + 1), limit)


def known(connection: Connection, reference: str) -> Row:
    """The incident's row, read without a lock. Raises UnknownIncident."""
    row = incident_queries.by_reference(connection, reference)
    if row is None:
        raise UnknownIncident("there is no incident with this id or number")
    return row


def _page(rows: Sequence[Row], limit: int) -> Page:
    return Page(rows[:limit], len(rows) > limit)


@contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """A connection to read from. Raises StorageUnavailable when the database cannot be asked."""
    try:
        with reading(engine) as connection:
            yield connection
    except SQLAlchemyError as error:
        if not is_unreachable(error):
            raise
        raise StorageUnavailable("the database cannot be asked now") from error

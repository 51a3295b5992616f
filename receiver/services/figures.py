"""Numbers that live in the database, for /metrics: open incidents, and the job queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from receiver.domain.jobs import QueueDepth
from receiver.errors import StorageUnavailable
from receiver.services.probe import Probe
from receiver.storage import incident_queries, jobs
from receiver.storage.engine import reading

# Scrapes come from several Prometheus servers and from every process: the database is asked at most this often by each.
KEEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Open incidents by (status, priority), and the job queues."""

    open_incidents: Mapping[tuple[str, str], int]
    queues: Sequence[QueueDepth]


class Figures:
    """Reads the numbers, and remembers them for a few seconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._probe = Probe(self._read, keep_seconds=KEEP_SECONDS)

    def snapshot(self) -> Snapshot | None:
        """The numbers, or None while the database does not give them; comes within about two seconds."""
        try:
            return self._probe()
        except (SQLAlchemyError, StorageUnavailable):
            return None

    def _read(self) -> Snapshot:
        with reading(self._engine) as connection:
            return Snapshot(incident_queries.count_open(connection), jobs.depths(connection))

"""Numbers that live in the database, for /metrics: open incidents, job queues, the broker's backlog, remediation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from receiver.domain.jobs import QueueDepth
from receiver.errors import StorageUnavailable
from receiver.services.probe import Probe
from receiver.storage import breakers, incident_queries, jobs, outbox, remediation
from receiver.storage.engine import reading
from receiver.storage.outbox import Backlog

# Scrapes come from several Prometheus servers and from every process: the database is asked at most this often by each.
KEEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Open incidents by (status, priority), the job queues, the events that wait for the broker, actions by state, and
    the target systems that are left alone.
    """

    open_incidents: Mapping[tuple[str, str], int]
    queues: Sequence[QueueDepth]
    backlog: Backlog
    actions: Mapping[str, int]
    open_breakers: Sequence[str]


class Figures:
    """Reads the numbers, and remembers them for a few seconds."""

    def __init__(self, engine: Engine, *, has_broker: bool) -> None:
        self._engine = engine
        self._has_broker = has_broker
        self._probe = Probe(self._read, keep_seconds=KEEP_SECONDS)

    def snapshot(self) -> Snapshot | None:
        """The numbers, or None while the database does not give them; comes within about two seconds."""
        try:
            return self._probe()
        except (SQLAlchemyError, StorageUnavailable):
            return None

    def _read(self) -> Snapshot:
        with reading(self._engine) as connection:
            # Where the broker was taken out of the settings, nobody waits for what was left.
            waiting = outbox.backlog(connection) if self._has_broker else Backlog()
            return Snapshot(
                incident_queries.count_open(connection),
                jobs.depths(connection),
                waiting,
                remediation.counts(connection),
                [row["target_system"] for row in breakers.not_closed(connection)],
            )

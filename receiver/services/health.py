"""Whether this process can do its work: can it ask the database, and has that the schema of this release?"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from receiver.errors import StorageUnavailable
from receiver.services.probe import Probe
from receiver.storage.engine import reading
from receiver.storage.migrate import current_revision, newest_revision

# Load balancers ask often, and from several places at once; one answer a second serves all of them.
KEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the database. `revision` is None when it has no tables yet, or cannot be asked."""

    is_connected: bool
    revision: str | None
    needed: str

    @property
    def is_ready(self) -> bool:
        """Whether requests can be served."""
        return self.is_connected and self.revision == self.needed


class Health:
    """Answers within about two seconds, also while the database hangs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._needed = newest_revision()
        self._probe = Probe(self._revision, keep_seconds=KEEP_SECONDS)

    def report(self) -> Report:
        """How things stand now, or stood a moment ago."""
        try:
            return Report(True, self._probe(), self._needed)
        except (SQLAlchemyError, StorageUnavailable):
            return Report(False, None, self._needed)

    def _revision(self) -> str | None:
        # Reads a real table: on a Galera node without quorum SELECT 1 still succeeds, and any table gives 1047.
        with reading(self._engine) as connection:
            return current_revision(connection)

"""Tells a running worker when its database has come to another release's schema: it must not go on then."""

from __future__ import annotations

import threading

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from receiver.errors import SchemaOutOfDate
from receiver.storage.engine import reading
from receiver.storage.migrate import current_revision, newest_revision

# Between two looks a worker of the old release may fail at jobs; they are tried again, by those of the new one.
LOOK_SECONDS = 5.0


class SchemaWatch:
    """Compares the database's revision with the one that this release needs, now and then, in a thread of its own.

    A thread, because a database that hangs must not keep the main one from hearing signals.
    """

    def __init__(self, engine: Engine, look_seconds: float = LOOK_SECONDS) -> None:
        self._engine = engine
        self._look_seconds = look_seconds
        self._needed = newest_revision()
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schema-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def has_changed(self) -> bool:
        """Whether the schema is known to be another release's."""
        return self._changed.is_set()

    def error(self) -> SchemaOutOfDate:
        """What to say when it has."""
        return SchemaOutOfDate(
            f"its schema was changed while this worker ran, and is not revision {self._needed} any more: start the"
            " release that belongs to it"
        )

    def _run(self) -> None:
        while not self._changed.is_set() and not self._stopping.wait(self._look_seconds):
            try:
                with reading(self._engine) as connection:
                    found = current_revision(connection)
            except SQLAlchemyError:  # it says nothing now
                continue
            if found != self._needed:
                self._changed.set()

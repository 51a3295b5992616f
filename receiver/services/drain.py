"""Empties the spool into the database, in the order of arrival, each delivery exactly once.

A delivery keeps the id that it was given when it came. Whether it was stored before, by a COMMIT whose answer was lost
or by a drainer that died before it could remove it, shows in the database by that id.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from receiver.errors import ReceiverError, SpoolFailed, StorageUnavailable
from receiver.logs import event_logger
from receiver.services.intake import Intake
from receiver.storage.engine import error_code
from receiver.storage.migrate import require_newest
from receiver.storage.spool import Spool, Spooled

_log = event_logger("drain")

LARGEST_BATCH = 64
LARGEST_BATCH_BYTES = 4 * 1024 * 1024
LOOK_SECONDS = 0.2
PAUSE_SECONDS = 1.0
# So often a delivery is tried alone that the database answers with an error of its own, before it is set aside.
REFUSALS = 5


class Drainer:
    """Drains in a thread of its own, if no other process of this machine does."""

    def __init__(self, intake: Intake, spool: Spool) -> None:
        self._intake = intake
        self._spool = spool
        self._stopping = threading.Event()
        self._is_checked = False
        self._refused: dict[int, int] = {}  # how often, by number
        self._thread = threading.Thread(target=self._run, name="drainer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is left is drained by the next process."""
        self._stopping.set()

    def drain(self) -> int:
        """Empty the spool, unless another process is at it; how many deliveries that were.

        Raises StorageUnavailable, SchemaOutOfDate, SpoolFailed, and what the database raises.
        """
        drained = 0
        if self._spool.is_empty():
            return 0
        with self._spool.draining() as is_ours:
            while is_ours and not self._stopping.is_set():
                batch = self._spool.first(LARGEST_BATCH, LARGEST_BATCH_BYTES)
                if not batch:
                    break
                self._check_schema()
                drained += self._store(batch)
        return drained

    def _store(self, batch: Sequence[Spooled]) -> int:
        try:
            self._intake.replay([one.delivery for one in batch])
        except StorageUnavailable:
            raise
        except (SQLAlchemyError, ValueError) as error:  # ValueError: a text that the driver cannot encode
            if len(batch) == 1:
                return self._refuse(batch[0], error)
            return sum(self._store([one]) for one in batch)
        self._spool.remove(batch)
        return len(batch)

    def _refuse(self, spooled: Spooled, error: Exception) -> int:
        """Set a delivery aside that the database will not take; anything else may be the database's own trouble."""
        seen = self._refused[spooled.number] = self._refused.get(spooled.number, 0) + 1
        if seen < REFUSALS and not isinstance(error, (DataError, ValueError)):
            raise StorageUnavailable("the database refuses a delivery of the spool") from error
        code = error_code(error) if isinstance(error, DBAPIError) else None
        reason = f"{type(error).__name__} {code or ''}".strip()
        _log.error("drain.set_aside", extra={"delivery_id": spooled.delivery.delivery_id, "reason": reason})
        self._spool.set_aside(spooled, reason)
        return 0

    def _check_schema(self) -> None:
        if not self._is_checked:
            require_newest(self._intake.engine)
            self._is_checked = True

    def _run(self) -> None:
        troubled = False
        while not self._stopping.wait(PAUSE_SECONDS * _jitter() if troubled else LOOK_SECONDS):
            try:
                drained = self.drain()
            except (ReceiverError, SQLAlchemyError) as error:
                if not troubled:  # said once, and not each second of a long night
                    cause = error.__cause__ or error
                    _log.warning("drain.waits", extra={"reason": type(cause).__name__})
                troubled = not isinstance(error, SpoolFailed) or troubled
                continue
            troubled = False
            if drained:
                _log.info("drain.done", extra={"deliveries": drained})


def _jitter() -> float:
    return random.uniform(0.5, 1.0)  # noqa: S311 - keeps processes from asking in step, guards nothing

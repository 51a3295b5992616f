"""Empties the spool into the database, in the order of arrival, each delivery exactly once.

A delivery keeps the id that it was given when it came. Whether it was stored before, by a COMMIT whose answer was lost
or by a drainer that died before it could remove it, shows in the database by that id.

An incident whose row somebody holds holds up its own alerts only: they stay in the spool, and all that touches the same
incidents stays behind them, while the others pass.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from receiver.domain.alert import Alert
from receiver.domain.delivery import Delivery
from receiver.errors import ReceiverError, SpoolFailed, StorageUnavailable
from receiver.logs import event_logger
from receiver.services.intake import Intake
from receiver.storage.engine import error_code
from receiver.storage.migrate import require_newest
from receiver.storage.row_locks import held_keys
from receiver.storage.spool import Spool, Spooled

_log = event_logger("drain")

LARGEST_BATCH = 64
# A few hundred alerts: while their transaction is made up, the requests of this process wait.
LARGEST_BATCH_BYTES = 256 * 1024
LOOK_SECONDS = 0.2
PAUSE_SECONDS = 1.0
# A worker or another machine's intake holds a row for some milliseconds; who holds it longer is passed by.
HELD_SECONDS, HELD_LOOK_SECONDS = 0.5, 0.02
# So often it is asked whether they are free by now.
ASK_SECONDS = 1.0
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
        # What was left in the spool because somebody holds an incident's row. All that has a number up to
        # `_passed` is stored, or waits: for a key of `_held`, or behind one that does, so for one of `_waiting`.
        self._passed = 0
        self._asked_at = 0.0  # when it was last asked whether they are still held
        self._held: set[str] = set()
        self._waiting: set[str] = set()
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
            if not is_ours:
                return 0
            self._begin()
            try:
                while not self._stopping.is_set() and (batch := self._next_batch(drained > 0)):
                    self._check_schema()
                    if free := self._without_held(batch):
                        drained += self._store(free)
                    self._passed = batch[-1].number
                    # The end of the spool may never be reached, if more comes all the time.
                    if self._held and time.monotonic() > self._asked_at + ASK_SECONDS:
                        self._begin()
            finally:
                self._spool.end_handover()
        return drained

    def _next_batch(self, is_flowing: bool) -> list[Spooled]:
        """What comes next. If that is all, and the database does take it, nobody puts more behind it meanwhile."""
        batch = self._spool.first(LARGEST_BATCH, LARGEST_BATCH_BYTES, self._passed)
        is_all = batch and not self._waiting and not self._spool.first(1, 0, batch[-1].number)
        if not is_flowing or not is_all:
            return batch
        self._spool.hand_over()
        return self._spool.first(LARGEST_BATCH, LARGEST_BATCH_BYTES, self._passed)

    def _begin(self) -> None:
        """Start over, unless all that was left behind would be left behind again."""
        self._asked_at = time.monotonic()
        if self._held and len(self._ask(self._held)) == len(self._held):
            return
        self._passed = 0
        self._held.clear()
        self._waiting.clear()

    def _without_held(self, batch: Sequence[Spooled]) -> list[Spooled]:
        """Those that nobody holds up. What must wait has all that touches the same incidents wait behind it."""
        keys = [self._keys_of(one.delivery) for one in batch]
        held = self._held_of(set().union(*keys) - self._waiting)
        if held and not self._held:
            # Hashes of labels: they tell an operator which incidents, and nothing else.
            _log.info("drain.passes_by", extra={"incident_keys": sorted(held)[:20]})
        self._held |= held
        self._waiting |= held
        free = []
        for one, its_keys in zip(batch, keys, strict=True):
            if its_keys.isdisjoint(self._waiting):
                free.append(one)
            else:
                self._waiting |= its_keys
        return free

    def _held_of(self, keys: set[str]) -> set[str]:
        """Those of these keys that somebody holds for longer than a transaction of ours takes."""
        until = time.monotonic() + HELD_SECONDS
        while (keys := self._ask(keys)) and time.monotonic() < until:
            self._stopping.wait(HELD_LOOK_SECONDS)
        return keys

    def _ask(self, keys: set[str]) -> set[str]:
        if not keys:
            return set()
        with self._intake.engine.connect() as connection:
            try:
                return held_keys(connection, keys)
            finally:
                connection.rollback()  # of the locks too: the pool does not do it

    def _keys_of(self, delivery: Delivery) -> set[str]:
        try:
            self._intake.parse(delivery)
        except Exception:  # noqa: BLE001 - it comes again when it is to be stored
            return set()
        alerts = delivery.parsed.alerts if delivery.parsed else ()
        return {one.incident_key for one in alerts if isinstance(one, Alert)}

    def _store(self, batch: Sequence[Spooled]) -> int:
        try:
            self._intake.replay([one.delivery for one in batch])
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - an outermost handler: one that nobody can store must not hold up all
            if len(batch) == 1:
                return self._refuse(batch[0], error)
            return sum(self._store([one]) for one in batch)
        self._spool.remove(batch)
        return len(batch)

    def _refuse(self, spooled: Spooled, error: Exception) -> int:
        """Set a delivery aside that the database will not take; anything else may be the database's own trouble."""
        seen = self._refused[spooled.number] = self._refused.get(spooled.number, 0) + 1
        # ValueError: a text that the driver cannot encode.
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
        troubled, told = False, ""
        while not self._stopping.wait(PAUSE_SECONDS * _jitter() if troubled else LOOK_SECONDS):
            try:
                drained = self.drain()
            except (ReceiverError, SQLAlchemyError) as error:
                reason = type(error.__cause__ or error).__name__
                if reason != told:  # said once, and not each second of a long night
                    _log.warning("drain.waits", extra={"reason": reason})
                told = reason
                troubled = not isinstance(error, SpoolFailed) or troubled
                continue
            troubled, told = False, ""
            if drained:
                _log.info("drain.done", extra={"deliveries": drained})


def _jitter() -> float:
    return random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing  # nosec B311

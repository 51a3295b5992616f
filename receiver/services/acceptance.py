"""Takes a delivery within a budget: into the database, or else into the spool.

There is no switch to flip when the database is away: as soon as one delivery lies in the spool, all others go there
too, without waiting, until the drainer has emptied it. That also keeps their order. Where they come as fast as they are
drained it would never be empty: so the drainer has them wait a moment while it stores the last ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from receiver import metrics
from receiver.domain.delivery import Answer, Delivery, Outcome
from receiver.errors import SpoolBlocked, SpoolFailed, StorageUnavailable
from receiver.logs import event_logger
from receiver.services.group_commit import GroupCommit
from receiver.services.intake import Intake
from receiver.storage.spool import HANDOVER_SECONDS, Spool

_log = event_logger("acceptance")
# For the spool's own fsync, on top of the budget: both together, and what a busy machine adds, stay under 1.5 s.
SPOOL_SECONDS = 0.4
LOOK_SECONDS = 0.02


class Acceptance:
    """The door of one process. `budget_seconds`: how long a sender waits for the database."""

    def __init__(self, intake: Intake, spool: Spool, budget_seconds: float) -> None:
        self._intake = intake
        self._spool = spool
        self._budget_seconds = budget_seconds
        self._group: GroupCommit[Delivery, Answer] = GroupCommit(self._keep, lambda delivery: 1)

    def accept(self, delivery: Delivery) -> Answer:
        """Store a delivery, here or there. When this returns it survives whatever comes.

        Raises StorageUnavailable when neither the database nor the spool takes it; the sender should come again.
        """
        started = time.monotonic()
        is_direct = self._is_direct(started)
        if is_direct and (answer := self._store(delivery, started)):
            return answer
        try:
            return self._group.submit(delivery, SPOOL_SECONDS)
        except SpoolFailed as error:
            _log.error("spool.failed", extra={"reason": str(error)})
            # A full or busy one will have room. What lies in one that cannot be written waits for people, and alerts
            # that come now need not wait with it.
            is_hopeless = not is_direct and not isinstance(error, SpoolBlocked)
            if is_hopeless and (answer := self._store(delivery, started)):
                return answer
            raise StorageUnavailable("neither the database nor the spool can take it now") from None

    def _store(self, delivery: Delivery, started: float) -> Answer | None:
        """Have the database take it, within the budget that began at `started`; None if it does not."""
        try:
            return self._intake.accept(delivery, self._budget_seconds - (time.monotonic() - started))
        except (StorageUnavailable, SQLAlchemyError) as error:
            # It may be stored all the same, later or already: the drainer knows it again by its id.
            _log.warning("delivery.not_stored", extra={"reason": type(error).__name__})
            return None

    def _is_direct(self, started: float) -> bool:
        """Whether nothing lies in the spool, or soon nothing will."""
        try:
            while not (is_empty := self._spool.is_empty()) and self._spool.is_handing_over():
                if time.monotonic() - started > min(HANDOVER_SECONDS, self._budget_seconds / 2):
                    break
                time.sleep(LOOK_SECONDS)
            return is_empty
        except SpoolFailed:
            return True

    def _keep(self, batch: Sequence[Delivery]) -> list[Answer]:
        self._spool.append(batch)
        for one in batch:
            metrics.DELIVERIES.labels(one.source, Outcome.SPOOLED.value).inc()
        return [
            Answer(
                one.delivery_id,
                one.trace_id,
                Outcome.SPOOLED,
                received=len(one.parsed.alerts) if one.parsed else 0,
                reason=one.reason,
            )
            for one in batch
        ]

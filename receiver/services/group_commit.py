"""Group commit inside one process: requests that wait at the same time share one transaction.

A storm is many small transactions at once, and each costs round trips and a flush. One thread takes what waits, up to
a limit, runs it as one batch and hands every request its own result. When a batch fails, its members run alone, so one
bad member never takes its neighbours down.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from receiver.errors import StorageUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

WAIT_SECONDS = 20.0
# Those whose answers just went out come back within a few milliseconds, one by one. Without this pause the first of
# them would be a batch of its own, and all others would wait for its COMMIT.
GATHER_SECONDS = 0.003


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    weight: int
    future: Future[Result] = field(default_factory=Future)


class GroupCommit(Generic[Item, Result]):
    """Runs `work` on batches of submitted items; `weigh` says how much of `largest_weight` an item takes.

    An item that is heavier than the limit runs alone.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        weigh: Callable[[Item], int],
        *,
        largest_batch: int = 64,
        largest_weight: int = 400,
    ) -> None:
        self._work = work
        self._weigh = weigh
        self._largest_batch = largest_batch
        self._largest_weight = largest_weight
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._wake = threading.Condition()
        self._expected = 1  # how many came together the last time
        self._wanted = 1  # at how many the thread wants to be woken: each waking costs the others time
        self._thread: threading.Thread | None = None

    def submit(self, item: Item, timeout_seconds: float = WAIT_SECONDS) -> Result:
        """Wait until `item` is committed and return its result; raises what its transaction raised.

        Raises StorageUnavailable when no result came in time. If its batch has begun, the item may still be committed
        then: it must stand being sent again.
        """
        waiting: _Waiting[Item, Result] = _Waiting(item, self._weigh(item))
        with self._wake:
            self._waiting.append(waiting)
            if self._thread is None:  # started here and not at construction: threads do not survive a fork
                self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            if len(self._waiting) >= self._wanted:
                self._wake.notify()
        try:
            return waiting.future.result(timeout=timeout_seconds)
        except FutureTimeout:
            self._withdraw(waiting)
            raise StorageUnavailable(f"no answer in {timeout_seconds:g} seconds") from None

    def _withdraw(self, waiting: _Waiting[Item, Result]) -> None:
        """Take back what has not begun: nobody waits for it any more, and there is enough to do."""
        with self._wake, suppress(ValueError):
            self._waiting.remove(waiting)

    def _run(self) -> None:
        while True:
            batch = self._take()
            if len(batch) > 1 and self._settle(batch, keep_failure=False):
                continue
            for one in batch:
                if not one.future.done():
                    self._settle([one], keep_failure=True)

    def _take(self) -> list[_Waiting[Item, Result]]:
        with self._wake:
            self._wanted = 1
            while not self._waiting:
                self._wake.wait()
            self._wanted = self._expected
            deadline = time.monotonic() + GATHER_SECONDS
            while len(self._waiting) < self._expected and (left := deadline - time.monotonic()) > 0:
                self._wake.wait(left)
            batch = [self._waiting.popleft()]
            weight = batch[0].weight
            while self._waiting and len(batch) < self._largest_batch:
                weight += self._waiting[0].weight
                if weight > self._largest_weight:
                    break
                batch.append(self._waiting.popleft())
            self._expected = len(batch)  # a lone request never waits: the one before it came alone, too
            return batch

    def _settle(self, batch: Sequence[_Waiting[Item, Result]], *, keep_failure: bool) -> bool:
        try:
            results = self._work([one.item for one in batch])
        except (
            StorageUnavailable
        ) as error:  # no use in trying each by itself: the database is away for all of them
            for one in batch:
                one.future.set_exception(error)
            return True
        except BaseException as error:  # noqa: BLE001 - it belongs to the waiting request, which raises it again
            if keep_failure:
                batch[0].future.set_exception(error)
            return False
        for one, result in zip(batch, results, strict=True):
            one.future.set_result(result)
        return True

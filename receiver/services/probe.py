"""Asks the database one question without ever waiting long for it, for answers that must come while it hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Generic, TypeVar

from receiver.errors import StorageUnavailable

T = TypeVar("T")


class Probe(Generic[T]):
    """Runs `ask` in a thread of its own. Callers at the same time share one answer, which is kept for a while.

    A database that hangs therefore holds one thread and one connection, however often it is asked after.
    """

    def __init__(
        self, ask: Callable[[], T], *, patience_seconds: float = 2.0, keep_seconds: float = 0.0
    ) -> None:
        self._ask = ask
        self._patience = patience_seconds
        self._keep = keep_seconds
        self._lock = threading.Lock()
        self._pending: Future[T] | None = None
        self._asked_at = 0.0

    def __call__(self) -> T:
        """The answer, at most `keep_seconds` old; raises what `ask` raised.

        Raises StorageUnavailable when there is none `patience_seconds` after the question was put.
        """
        pending, asked_at = self._current()
        try:
            return pending.result(timeout=max(0.0, asked_at + self._patience - time.monotonic()))
        except FutureTimeout:
            raise StorageUnavailable(f"the database gave no answer in {self._patience:g} seconds") from None

    def _current(self) -> tuple[Future[T], float]:
        with self._lock:
            now = time.monotonic()
            if self._pending is None or (self._pending.done() and now >= self._asked_at + self._keep):
                self._pending, self._asked_at = Future(), now
                threading.Thread(target=self._run, args=(self._pending,), name="probe", daemon=True).start()
            return self._pending, self._asked_at

    def _run(self, pending: Future[T]) -> None:
        try:
            pending.set_result(self._ask())
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait, who raise it again
            pending.set_exception(error)

"""The memory of all processes of the receiver together, looked at four times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Self

from bench.proc import memory_of

_PERIOD_SECONDS = 0.25


class MemoryWatch:
    """A context manager; afterwards `most_rss` and `most_pss` are the highest sums seen, in megabytes.

    RSS counts pages that processes share once for each of them, so the sum is too high rather than too low.
    """

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self.most_rss = self.most_pss = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_PERIOD_SECONDS):
            found = [memory for pid in self._pids() if (memory := memory_of(pid))]
            self.most_rss = max(self.most_rss, sum(one.rss for one in found))
            self.most_pss = max(self.most_pss, sum(one.pss for one in found))

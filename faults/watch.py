"""Looks on while a fault goes on: whether a key has two open incidents (C2), and what the processes take (C8)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pymysql
from sqlalchemy import make_url

from bench.proc import memory_of
from faults.stack import Stack

SAMPLE_SECONDS = 0.1
_TWICE = (
    "SELECT incident_key, COUNT(*) FROM incidents WHERE status IN ('active', 'acknowledged')"
    " GROUP BY incident_key HAVING COUNT(*) > 1"
)


class Sampler:
    """Samples from `with` to its end. `twice`: keys that were seen with two open incidents."""

    def __init__(self, stack: Stack) -> None:
        self._url = make_url(stack.url)
        self.samples = 0
        self.twice: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        connection: pymysql.Connection[pymysql.cursors.Cursor] | None = None
        while not self._stopping.wait(SAMPLE_SECONDS):
            try:
                if connection is None:
                    connection = self._connect()
                with connection.cursor() as cursor:
                    cursor.execute(_TWICE)
                    self.twice |= {str(row[0]) for row in cursor.fetchall()}
                self.samples += 1
            except (pymysql.err.Error, OSError):  # it is away; that is what the fault is about
                connection = None

    def _connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(
            host=str(self._url.host),
            port=int(self._url.port or 0),
            user=str(self._url.username),
            password=str(self._url.password),
            database=str(self._url.database),
            autocommit=True,
            connect_timeout=1,
            read_timeout=2,
        )


@dataclass(slots=True)
class Use:
    """What a process took."""

    rss_mb: float
    descriptors: int


@dataclass(slots=True)
class Meter:
    """Compares what processes take at the beginning with what they take in the end, by process id."""

    before: dict[int, Use] = field(default_factory=dict)
    after: dict[int, Use] = field(default_factory=dict)
    largest_total_mb: float = 0.0

    def begin(self, stack: Stack) -> None:
        """What they take now is what they may take."""
        self.before = self._look(stack)

    def end(self, stack: Stack) -> None:
        """Look for the last time."""
        self.after = self._look(stack)

    def look(self, stack: Stack) -> None:
        """Note the total of all processes."""
        self._look(stack)

    def _look(self, stack: Stack) -> dict[int, Use]:
        found = {pid: use for pid in stack.pids().values() if (use := _use_of(pid)) is not None}
        self.largest_total_mb = max(self.largest_total_mb, sum(use.rss_mb for use in found.values()))
        return found


def _use_of(pid: int) -> Use | None:
    memory = memory_of(pid)
    try:
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return None
    return None if memory is None else Use(memory.rss, descriptors)

"""Measures what each part takes while the load runs: cores kept busy, and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from bench.proc import Memory, busy_seconds, cpu_seconds_of, memory_of


class Meter:
    """Measures from its making on. `server`: the processes under load by what they do; `database`: the database's."""

    def __init__(self, server: Mapping[str, int], database: Sequence[int]) -> None:
        self._server = server
        self._groups: dict[str, list[int]] = {
            "load": [os.getpid()],
            "database": list(database),
            **{name: [pid] for name, pid in server.items()},
        }
        self._started = time.perf_counter()
        self._before = self._sample()

    def cpu_cores(self) -> dict[str, float]:
        """How many cores each part has kept busy so far, and `others`: what was none of ours."""
        elapsed = time.perf_counter() - self._started
        now = self._sample()
        used = {name: (now[name] - self._before[name]) / elapsed for name in now}
        busy = used.pop("busy")
        return {
            name: round(cores, 3)
            for name, cores in (used | {"others": max(0.0, busy - sum(used.values()))}).items()
        }

    def memory(self) -> dict[str, Memory]:
        """The memory of the server's processes now, by what they do; none where the system does not tell."""
        found = {name: memory_of(pid) for name, pid in self._server.items()}
        return {name: memory for name, memory in found.items() if memory is not None}

    def _sample(self) -> dict[str, float]:
        return {"busy": busy_seconds()} | {name: cpu_seconds_of(pids) for name, pids in self._groups.items()}

"""The receiver under test, run as users run it: `receiver serve` and `receiver worker`, beside each other."""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.proc import group_members
from receiver.storage.spool import Spool
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment

_READY_SECONDS = 60.0
_DRAINED_SECONDS = 60.0


class Subject:
    """A running receiver over the database at `database_url`; a context manager. `settings` are more variables for it.

    It asks senders for a token, as everybody's should. No channel is configured: the worker has nothing to do.
    """

    def __init__(self, database_url: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.address = ("127.0.0.1", free_port())
        self.token = secrets.token_urlsafe(24)
        self._folder = folder
        self._environment = environment(
            {
                "RECEIVER_DATABASE_URL": database_url,
                "RECEIVER_BIND": "{}:{}".format(*self.address),
                "RECEIVER_WEBHOOK_TOKEN": self.token,
                **settings,
            }
        )
        self._running: list[Process] = []

    def __enter__(self) -> Self:
        try:
            for command in ("serve", "worker"):
                self._running.append(
                    Process(
                        [BIN / "receiver", command], folder=self._folder, env=self._environment, name=command
                    )
                )
            self._running[0].wait_for_http("http://{}:{}/readyz".format(*self.address), _READY_SECONDS)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def pids(self) -> dict[str, int]:
        """Its processes by what they do."""
        serve, worker = self._running
        master, *web = group_members(serve.pid) or [serve.pid]
        return {"master": master} | {f"web {n}": pid for n, pid in enumerate(web, 1)} | {"worker": worker.pid}

    def settle(self) -> int:
        """Wait until what went into the spool is in the database; how many deliveries that were.

        The receiver answers 200 for those as well: how fast they were taken says nothing about the database. Raises
        AssertionError where the spool does not become empty.
        """
        spooled = self.spooled()
        if spooled:
            spool = Spool(self._folder / "var" / "spool", 0)
            self._running[0].wait_until(spool.is_empty, _DRAINED_SECONDS, "empty its spool")
        return spooled

    def spooled(self) -> int:
        """How many deliveries went into the spool so far."""
        url = "http://{}:{}/metrics".format(*self.address)
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            told = answer.read().decode()
        counted = (line for line in told.splitlines() if line.startswith("receiver_deliveries_total{"))
        return sum(int(float(line.rpartition(" ")[2])) for line in counted if 'outcome="spooled"' in line)

    def _stop(self) -> None:
        for process in reversed(self._running):
            process.stop()

"""A Redis of our own: in memory, own port on 127.0.0.1, gone when we are. Never the system's server."""

from __future__ import annotations

import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.fakes import tools
from tests.fakes.ports import free_port
from tests.fakes.processes import Process


class RedisServer:
    """A running server, its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._password = secrets.token_hex(8)
        # Debian has one program for the server and its checks, which goes by the name that it is called with.
        program = folder / "redis-server"
        program.symlink_to(tools.require("redis-server").resolve())
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", self._password]
        self._process = Process(
            [program, *options, "--save", "", "--appendonly", "no"], folder=folder, name="redis"
        )
        try:
            self._process.wait_until(self._answers, timeout=30, what="take connections")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """redis://:password@127.0.0.1:port/0."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A client of it."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def stop(self) -> None:
        """Ends the server. May be called again."""
        self._process.stop(grace=5)

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()

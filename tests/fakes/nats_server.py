"""The real NATS server with JetStream, on a loopback port; it can be killed and started again over its data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import nats
from nats.aio.client import Client
from nats.js.api import StreamConfig

from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process

T = TypeVar("T")

USER, PASSWORD = "relay", "p@ss/word"
_ACCOUNTS = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}"{sync} }}
max_payload: {max_payload}
authorization {{ user: "{user}", password: "{password}" }}
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the stream keeps it."""

    subject: str
    message_id: str
    envelope: dict[str, Any]


class NatsServer:
    """A running nats-server; `folder` gets configuration, data and log.

    `is_durable`: it flushes each message to the disk before it acknowledges it, which by default it does not.
    """

    def __init__(self, folder: Path, *, max_payload: int = 1_048_576, is_durable: bool = True) -> None:
        self._folder = folder
        self._port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        text = _ACCOUNTS.format(
            port=self._port,
            store=folder / "store",
            sync=", sync_interval: always" if is_durable else "",
            max_payload=max_payload,
            user=USER,
            password=PASSWORD,
        )
        (folder / "nats.conf").write_text(text, encoding="utf-8")
        self.url = f"nats://{USER}:p%40ss%2Fword@127.0.0.1:{self._port}"
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    def start(self) -> None:
        """Start it (again), over what it has stored."""
        number = len(list(self._folder.glob("*.log")))
        self._process = Process(
            [BIN / "nats-server", "-c", "nats.conf"], folder=self._folder, name=f"nats-server-{number}"
        )
        self._process.wait_for_output("Server is ready")

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.stop()  # settles what watches over it

    @property
    def process(self) -> Process:
        """The server as a process."""
        assert self._process is not None
        return self._process

    def stored(self, stream: str = "receiver") -> list[Stored]:
        """All messages of the stream, in its order."""
        return self._ask(_read(self, stream))

    def configuration(self, stream: str = "receiver") -> StreamConfig:
        """How the stream is set up."""

        async def ask(client: Client) -> StreamConfig:
            return (await client.jetstream().stream_info(stream)).config

        found: StreamConfig = self._ask(_with(self, ask))
        return found

    def create_stream(self, **config: Any) -> None:
        """Set up a stream, as an operator does before the receiver comes."""

        async def ask(client: Client) -> None:
            await client.jetstream().add_stream(StreamConfig(**config))

        self._ask(_with(self, ask))

    def delete_stream(self, stream: str = "receiver") -> None:
        """Take the stream away."""

        async def ask(client: Client) -> None:
            await client.jetstream().delete_stream(stream)

        self._ask(_with(self, ask))

    @staticmethod
    def _ask(question: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(asyncio.wait_for(question, 30))

    async def connect(self) -> Client:
        """A client of our own."""
        return await nats.connect(f"nats://127.0.0.1:{self._port}", user=USER, password=PASSWORD)


async def _with(server: NatsServer, ask: Any) -> Any:
    client = await server.connect()
    try:
        return await ask(client)
    finally:
        await client.close()


async def _read(server: NatsServer, stream: str) -> list[Stored]:
    async def ask(client: Client) -> list[Stored]:
        streams = client.jetstream()
        number = (await streams.stream_info(stream)).state.messages
        if not number:
            return []
        reader = await streams.subscribe(f"{stream}.>", stream=stream, ordered_consumer=True)
        found = [await reader.next_msg(timeout=5) for _ in range(number)]
        return [
            Stored(one.subject, (one.headers or {})["Nats-Msg-Id"], json.loads(one.data)) for one in found
        ]

    result: list[Stored] = await _with(server, ask)
    return result

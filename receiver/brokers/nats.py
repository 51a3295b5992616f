"""NATS with JetStream: subjects PREFIX.TYPE, kept by a stream, made if there is none. Needs the extra `nats`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from receiver.brokers.base import needs_extra
from receiver.brokers.event_loop import EventLoop
from receiver.domain.broker_address import BrokerAddress
from receiver.domain.outgoing import Message, PublishReport
from receiver.errors import DeliveryFailed

if TYPE_CHECKING:
    from receiver.brokers.jetstream import JetStream

T = TypeVar("T")

# Longer than all that one call may take by the limits in jetstream.py: this one is for an event loop that hangs itself.
_LONGEST_CALL_SECONDS = 60.0


class Nats:
    """A NATS server or cluster (receiver.brokers.base.Broker)."""

    name = "NATS"

    def __init__(self, address: BrokerAddress, prefix: str) -> None:
        self._address = address
        self._prefix = prefix
        self._loop = EventLoop("nats")
        self._session: JetStream | None = None

    def publish(self, batch: Sequence[Message]) -> PublishReport:
        """Send `batch` and return what the stream has stored. Raises DeliveryFailed where there is no server."""
        if self._session is None or not self._session.is_open:
            self._drop()
            self._session = self._open()
        session = self._session
        report = self._run(lambda: session.publish(batch))
        if report.failures:
            self._drop()  # the stream may be gone, or this server may have lost its cluster: begin anew, at any of them
        return report

    def check(self) -> str:
        """What there is to say of a server that can be used. Raises DeliveryFailed."""
        session = self._run(lambda: self._client().connect(self._address, self._prefix))
        try:
            return self._run(session.describe)
        finally:
            self._run(session.close)

    def close(self) -> None:
        """Give the connection back."""
        self._drop()
        self._loop.close()

    def _open(self) -> JetStream:
        session = self._run(lambda: self._client().connect(self._address, self._prefix))
        try:
            self._run(session.provide_stream)
        except DeliveryFailed:
            self._run(session.close)
            raise
        return session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._run(session.close)

    def _run(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._loop.run(call(), _LONGEST_CALL_SECONDS)

    @staticmethod
    def _client() -> type[JetStream]:
        # Not at the top: the package is there only where the extra was installed.
        with needs_extra("nats", "nats-py"):
            from receiver.brokers.jetstream import JetStream
        return JetStream

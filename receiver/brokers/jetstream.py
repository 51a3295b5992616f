"""One connection to NATS, and what is said over it. Imports nats-py, so only brokers/nats.py imports this, when needed.

The client's own reconnecting stays off: it would keep messages and send them at a time of its own choosing, behind
the back of the relay, which sends again by itself what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Self, TypeVar

from nats.aio.client import Client
from nats.errors import AuthorizationError, Error, MaxPayloadError, NoServersError
from nats.js.api import StorageType, StreamConfig
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from receiver.domain.broker_address import BrokerAddress
from receiver.domain.outgoing import Message, PublishReport, lanes
from receiver.errors import DeliveryFailed

CONNECT_SECONDS = 5
ANSWER_SECONDS = 5.0
BATCH_SECONDS = 20.0
PING_SECONDS = 20
# How long JetStream remembers message ids. A worker that died between acknowledgement and mark is followed by another
# once its lease is over, a minute by default; NATS' own two minutes would leave little room.
REMEMBERED_SECONDS = 600.0
KEPT_SECONDS = 7 * 24 * 3600.0

T = TypeVar("T")

_MESSAGE_ID = "Nats-Msg-Id"  # https://docs.nats.io/nats-concepts/jetstream/headers
_HEADER_BYTES = 256  # the server counts headers as part of the payload
_STREAM_TAKES_NO_LARGER = 10054  # JSStreamMessageExceedsMaximumErr, nats-server's server/errors.json


class JetStream:
    """An open connection. `is_open` says whether it still is."""

    def __init__(self, connection: Client, lost: asyncio.Event, prefix: str) -> None:
        self._connection = connection
        self._stream: JetStreamContext = connection.jetstream(timeout=ANSWER_SECONDS)
        self._lost = lost
        self._prefix = prefix

    @classmethod
    async def connect(cls, address: BrokerAddress, prefix: str) -> Self:
        """Connect to the first of the servers that answers. Raises DeliveryFailed with the last one's reason."""
        complaints: list[Exception] = []
        for server in address.servers:
            try:
                return await cls._connect(server, address, prefix, complaints)
            except (OSError, Error, TimeoutError) as error:
                complaints.insert(0, error)
        # The client's NoServersError says nothing; what it complained of before does.
        telling = [error for error in complaints if not isinstance(error, NoServersError)]
        raise DeliveryFailed(f"no NATS server to talk to: {_reason((telling or complaints)[-1])}")

    @classmethod
    async def _connect(
        cls, server: str, address: BrokerAddress, prefix: str, complaints: list[Exception]
    ) -> Self:
        lost = asyncio.Event()

        async def note_loss() -> None:
            lost.set()

        async def complain(error: Exception) -> None:
            complaints.append(error)  # by default the client logs them, with addresses

        connection = Client()
        try:
            await asyncio.wait_for(
                connection.connect(
                    f"nats://{server}",
                    name="alert-receiver",
                    user=address.user if address.password else None,
                    password=address.password,
                    token=None if address.password else address.user,
                    tls=ssl.create_default_context() if address.is_encrypted else None,
                    connect_timeout=CONNECT_SECONDS,
                    allow_reconnect=False,
                    reconnect_time_wait=0,  # it means the first connection too
                    max_reconnect_attempts=1,
                    ping_interval=PING_SECONDS,
                    closed_cb=note_loss,
                    error_cb=complain,
                ),
                2 * CONNECT_SECONDS,
            )
        except BaseException:
            await connection.close()  # where the server refuses us, the client leaves its socket open
            raise
        return cls(connection, lost, prefix)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._connection.is_connected and not self._lost.is_set()

    async def provide_stream(self) -> None:
        """Make the stream if no stream takes our subjects. One that is there stays as it is. Raises DeliveryFailed."""
        if await self._stream_name() is not None:
            return
        config = StreamConfig(
            name=self._prefix,
            subjects=[f"{self._prefix}.>"],
            description="Events of the alert receiver",
            storage=StorageType.FILE,
            max_age=KEPT_SECONDS,
            duplicate_window=REMEMBERED_SECONDS,
        )
        await _asked(self._stream.add_stream(config), f"the stream {self._prefix} cannot be made")

    async def describe(self) -> str:
        """What there is to say of the stream. Raises DeliveryFailed."""
        name = await self._stream_name()
        if name is None:
            return f"answers; the first event will make the stream {self._prefix}"
        info = await _asked(self._stream.stream_info(name), f"the stream {name} cannot be looked at")
        return f"answers; the stream {name} holds {info.state.messages} messages"

    async def publish(self, batch: Sequence[Message]) -> PublishReport:
        """Send the lanes of `batch` side by side; see receiver.brokers.base.Broker."""
        report = PublishReport()
        work = asyncio.gather(*(self._publish_lane(lane, report) for lane in lanes(batch)))
        lost = asyncio.ensure_future(self._lost.wait())  # the client itself would let every request time out
        await asyncio.wait((work, lost), timeout=BATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        lost.cancel()
        if work.done():
            work.result()
        else:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        return report

    async def close(self) -> None:
        """Leave."""
        await self._connection.close()

    async def _publish_lane(self, lane: Sequence[Message], report: PublishReport) -> None:
        for message in lane:
            if len(message.body) + _HEADER_BYTES > self._connection.max_payload:
                report.too_large.add(message.event_id)
                return
            try:
                await self._stream.publish(
                    f"{self._prefix}.{message.topic}", message.body, headers={_MESSAGE_ID: message.message_id}
                )
            except MaxPayloadError:
                report.too_large.add(message.event_id)
                return
            except (
                OSError,
                Error,
                TimeoutError,
                ValueError,
            ) as error:  # ValueError: an answer that is no JSON
                if isinstance(error, APIError) and error.err_code == _STREAM_TAKES_NO_LARGER:
                    report.too_large.add(message.event_id)
                else:
                    report.failures[message.event_id] = _reason(error)
                return
            except asyncio.CancelledError:
                report.failures[message.event_id] = "the connection broke, or no answer came in time"
                raise
            report.acknowledged.append(message.event_id)

    async def _stream_name(self) -> str | None:
        question = self._stream.find_stream_name_by_subject(f"{self._prefix}.>")
        try:
            return await _asked(question, "the server cannot be asked for its streams")
        except NotFoundError:
            return None


async def _asked(question: Awaitable[T], complaint: str) -> T:
    try:
        return await question
    except NotFoundError:
        raise
    except (OSError, Error, TimeoutError) as error:
        raise DeliveryFailed(f"{complaint}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """In words, and without the client's own text: that may hold addresses."""
    if isinstance(error, APIError) and error.description:
        return f"JetStream says: {error.description}"
    if isinstance(error, NoStreamResponseError):
        return "no stream takes the subject, or JetStream is off"
    if isinstance(error, AuthorizationError) or "authorization" in str(error).lower():
        return "the user, password or token is refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return type(error).__name__

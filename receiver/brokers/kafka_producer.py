"""One producer of confluent-kafka. Only brokers/kafka.py imports this, when it is needed: the package is an extra."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Delivered

from receiver.domain.broker_address import BrokerAddress
from receiver.domain.events import EventType
from receiver.domain.outgoing import Message, PublishReport, lanes
from receiver.errors import DeliveryFailed

ANSWER_SECONDS = 5.0
DELIVERY_SECONDS = 10.0
BATCH_SECONDS = 20.0

_TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)


def configuration(address: BrokerAddress) -> dict[str, Any]:
    """librdkafka's settings (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(address.servers),
        "client.id": "alert-receiver",
        "enable.idempotence": True,  # brings acks=all: acknowledged is what all in-sync replicas have
        "partitioner": "murmur2_random",  # as Java's clients do it: a key has one partition, whoever writes
        "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
        "topic.metadata.propagation.max.ms": int(ANSWER_SECONDS * 1000),
        "linger.ms": 2,
        "log_level": 0,  # it would write to stderr itself, past the log; errors come with the call that they concern
        "security.protocol": "SSL" if address.is_encrypted else "PLAINTEXT",
    }
    if address.user:
        found |= {
            "security.protocol": "SASL_SSL" if address.is_encrypted else "SASL_PLAINTEXT",
            "sasl.mechanism": address.mechanism,
            "sasl.username": address.user,
            "sasl.password": address.password,
        }
    return found


class KafkaProducer:
    """A producer and what it last complained of."""

    def __init__(self, address: BrokerAddress, prefix: str, **more: Any) -> None:
        self._prefix = prefix
        self._complaint = ""
        self._producer = Producer(configuration(address) | {"error_cb": self._complain} | more)

    def greet(self) -> None:
        """Raises DeliveryFailed unless a broker answers."""
        self._metadata()

    def describe(self) -> str:
        """What there is to say of the cluster. Raises DeliveryFailed."""
        known = self._metadata()
        missing = [one.value for one in EventType if f"{self._prefix}.{one.value}" not in known]
        if not missing:
            return f"answers; all {len(EventType)} topics {self._prefix}.* are there"
        return f"answers; {len(missing)} of {len(EventType)} topics {self._prefix}.* are not there yet"

    def publish(self, batch: Sequence[Message]) -> PublishReport:
        """Send the first message of each lane, then the second of each, and so on; see receiver.brokers.base.Broker.

        In waves, because the messages of one incident go to several topics, and so to several partitions: among these
        nothing but waiting keeps an order.
        """
        report = PublishReport()
        deadline = time.monotonic() + BATCH_SECONDS
        todo = lanes(batch)
        while todo and time.monotonic() < deadline:
            self._send([lane[0] for lane in todo], report)
            arrived = set(report.acknowledged)
            todo = [lane[1:] for lane in todo if lane[0].event_id in arrived and len(lane) > 1]
        return report

    def close(self) -> None:
        """Forget what is still under way: nothing of it should come later."""
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer.poll(0)

    def _send(self, wave: Sequence[Message], report: PublishReport) -> None:
        """Send all of `wave`, and wait until the fate of each is known."""
        waiting = {message.event_id for message in wave}

        def note(event_id: int, error: KafkaError | None) -> None:
            waiting.discard(event_id)
            if error is None:
                report.acknowledged.append(event_id)
            elif error.code() in _TOO_LARGE:
                report.too_large.add(event_id)
            else:
                report.failures[event_id] = _reason(error)

        def noter(event_id: int) -> Callable[[KafkaError | None, Delivered], None]:
            return lambda error, _: note(event_id, error)

        for message in wave:
            try:
                self._producer.produce(
                    f"{self._prefix}.{message.topic}",
                    value=message.body,
                    key=message.key,
                    headers={"event_id": message.message_id},
                    on_delivery=noter(message.event_id),
                )
            except KafkaException as error:
                note(message.event_id, error.args[0])
        # The client reports each message once DELIVERY_SECONDS are over, at the latest; ours is for when it does not.
        deadline = time.monotonic() + DELIVERY_SECONDS + ANSWER_SECONDS
        while waiting and time.monotonic() < deadline:
            self._producer.poll(0.1)
        report.failures.update(dict.fromkeys(waiting, "no answer in time"))

    def _metadata(self) -> list[str]:
        """The names of all topics."""
        try:
            return list(self._producer.list_topics(timeout=ANSWER_SECONDS).topics)
        except KafkaException as error:
            reason = self._complaint or _reason(error.args[0])
            raise DeliveryFailed(f"no Kafka broker to talk to: {reason}") from None

    def _complain(self, error: KafkaError) -> None:
        self._complaint = _reason(error)


def _reason(error: KafkaError) -> str:
    """In words, by its code: the error's own text may hold addresses."""
    return f"Kafka says: {KafkaError(error.code()).str()}"

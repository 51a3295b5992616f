"""Apache Kafka and what speaks its protocol: topics PREFIX.TYPE, the incident as key. Needs the extra `kafka`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from receiver.brokers.base import needs_extra
from receiver.domain.broker_address import BrokerAddress
from receiver.domain.outgoing import Message, PublishReport

if TYPE_CHECKING:
    from receiver.brokers.kafka_producer import KafkaProducer


class Kafka:
    """A Kafka cluster (receiver.brokers.base.Broker)."""

    name = "Kafka"

    def __init__(self, address: BrokerAddress, prefix: str) -> None:
        self._address = address
        self._prefix = prefix
        self._producer: KafkaProducer | None = None

    def publish(self, batch: Sequence[Message]) -> PublishReport:
        """Send `batch` and return what all in-sync replicas have. Raises DeliveryFailed where there is no cluster."""
        if self._producer is None:
            producer = self._connect()
            producer.greet()
            self._producer = producer
        report = self._producer.publish(batch)
        if report.failures:
            self.close()  # a fatal error ends a producer; and what it still holds back must not come later
        return report

    def check(self) -> str:
        """What there is to say of a cluster that can be used. Raises DeliveryFailed."""
        producer = self._connect()
        try:
            return producer.describe()
        finally:
            producer.close()

    def close(self) -> None:
        """Give the connections back."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def _connect(self) -> KafkaProducer:
        # Not at the top: the package is there only where the extra was installed.
        with needs_extra("kafka", "confluent-kafka"):
            from receiver.brokers.kafka_producer import KafkaProducer
        return KafkaProducer(self._address, self._prefix)

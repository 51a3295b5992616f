"""A cluster that speaks Kafka's protocol on loopback ports: the one that librdkafka carries for its own tests.

Source: https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h. It makes topics by itself, takes the
idempotent producer's sequence numbers, and keeps what it gets in memory. It is no Kafka: it has no replicas, no
authentication and no limit on sizes of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.fakes.nats_server import Stored
from tests.fakes.polling import wait_until


class KafkaCluster:
    """Three brokers, which live as long as this object."""

    def __init__(self) -> None:
        # The first of its brokers that has an error would write to stderr.
        self._owner: Producer | None = Producer(
            {"bootstrap.servers": "none", "test.mock.num.brokers": 3, "log_level": 0}
        )
        brokers = self._owner.list_topics(timeout=10).brokers.values()
        self.servers = ",".join(f"{one.host}:{one.port}" for one in brokers)
        self.url = f"kafka://{self.servers}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Nobody answers any more."""
        self._owner = None

    def topics(self) -> set[str]:
        """The names of the topics."""
        assert self._owner is not None
        return set(self._owner.list_topics(timeout=10).topics)

    def stored(self, topics: Sequence[str]) -> list[Stored]:
        """All messages of these topics, partition by partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "test",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        try:
            known = consumer.list_topics(timeout=10).topics
            places = [TopicPartition(topic, n, 0) for topic in topics for n in known[topic].partitions]
            wanted = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
            consumer.assign(places)
            found: list[Stored] = []

            def read() -> bool:
                for one in consumer.consume(500, timeout=0.2):
                    if one.error() is None:
                        message_id = dict(one.headers() or [])["event_id"]
                        assert isinstance(message_id, bytes)
                        found.append(
                            Stored(str(one.topic()), message_id.decode(), json.loads(one.value() or b"{}"))
                        )
                return len(found) >= wanted

            wait_until(read, timeout=20)
            return found
        finally:
            consumer.close()

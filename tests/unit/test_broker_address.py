"""RECEIVER_BROKER_URL: what it may say, and that a mistake is told without the secret in it."""

from __future__ import annotations

import pytest

from receiver.domain.broker_address import BrokerAddress, BrokerKind, parse_broker_address

NATS, KAFKA = BrokerKind.NATS, BrokerKind.KAFKA


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nats://broker", BrokerAddress(NATS, ("broker:4222",), False)),
        ("nats://a:1,b,[::1]:3/", BrokerAddress(NATS, ("a:1", "b:4222", "[::1]:3"), False)),
        ("tls://me:p%40ss%2Fw@b:4", BrokerAddress(NATS, ("b:4",), True, "me", "p@ss/w")),
        ("nats://a-token@b:4", BrokerAddress(NATS, ("b:4",), False, "a-token")),
        ("kafka://a,b:9093", BrokerAddress(KAFKA, ("a:9092", "b:9093"), False)),
        (
            "kafka://me:word@a:1?tls=on&sasl=SCRAM-SHA-512",
            BrokerAddress(KAFKA, ("a:1",), True, "me", "word", "SCRAM-SHA-512"),
        ),
    ],
)
def test_an_address_is_understood(text: str, expected: BrokerAddress) -> None:
    assert parse_broker_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "amqp://me:secret@b",
        "nats:b",
        "nats://",
        "nats://me:secret@",
        "nats://me:secret@a,,b",
        "nats://me:secret@a:0",
        "nats://me:secret@a:70000",
        "nats://me:secret@a:x",
        "nats://me:secret@a/path",
        "nats://me:secret@a b",
        "nats://me:secret@a?tls=on",
        "kafka://secret@a",
        "kafka://me:secret@a?tls=maybe",
        "kafka://me:secret@a?sasl=GUESS",
        "kafka://me:secret@a?more=secret",
    ],
)
def test_a_mistake_is_told_without_the_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|after \?|Kafka needs") as caught:
        parse_broker_address(text)
    assert "secret" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "word" not in repr(parse_broker_address("nats://me:word@b"))

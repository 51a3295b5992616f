"""Every kind of broker there is, written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from receiver.brokers.base import Broker
from receiver.brokers.kafka import Kafka
from receiver.brokers.nats import Nats
from receiver.domain.broker_address import BrokerAddress, BrokerKind, parse_broker_address


class BrokerSettings(Protocol):
    """The part of the settings that is about brokers (receiver.config.Settings has it all)."""

    @property
    def broker_url(self) -> str | None:
        """Where the broker is, None for none."""

    @property
    def broker_prefix(self) -> str:
        """What stands before the names of topics."""


BROKERS: Mapping[BrokerKind, Callable[[BrokerAddress, str], Broker]] = {
    BrokerKind.NATS: Nats,
    BrokerKind.KAFKA: Kafka,
}


def build_broker(settings: BrokerSettings) -> Broker | None:
    """The broker that `settings` names, None where they name none. Connects to nothing yet."""
    if not settings.broker_url:
        return None
    address = parse_broker_address(settings.broker_url)
    return BROKERS[address.kind](address, settings.broker_prefix)

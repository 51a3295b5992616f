"""Whether the broker that events go out to can be reached. Nothing is sent, and nothing made."""

from __future__ import annotations

from collections.abc import Iterator

from receiver.brokers.registry import BrokerSettings, build_broker
from receiver.domain.finding import Finding, bad, ok
from receiver.errors import DeliveryFailed


def check_broker(settings: BrokerSettings) -> Iterator[Finding]:
    """One finding if a broker is configured."""
    broker = build_broker(settings)
    if broker is None:
        return
    try:
        yield ok(broker.name, broker.check())
    except DeliveryFailed as failure:
        advice = "check RECEIVER_BROKER_URL; events are kept and go out once the broker can be used"
        yield bad(broker.name, failure.reason, advice)
    finally:
        broker.close()

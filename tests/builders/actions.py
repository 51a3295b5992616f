"""Orders for actions, and the whole way of one: checked, planned, run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from receiver.config import load
from receiver.domain.action import Order, Result
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.remediation.base import Action
from receiver.remediation.registry import build_actions

ACTION_ID = "ACT-0123456789abcdef01234567"
SHOP = {"namespace": "shop", "deployment": "svc-a"}


def order(action: str, target: Mapping[str, str], /, **parameters: Any) -> Order:
    return Order(action, target, parameters, ACTION_ID)


def actions(http: HttpClient | None = None, /, **settings: str) -> dict[str, Action]:
    """All actions, set up by these settings (names without RECEIVER_)."""
    return build_actions(load({f"RECEIVER_{name}": value for name, value in settings.items()}), http)


def carry_out(known: Mapping[str, Action], wanted: Order) -> Result:
    """What the service does with an order that nothing stands against."""
    action = known[wanted.action]
    assert action.check(wanted) == []
    return action.run(wanted, action.plan(wanted))


def failure_of(known: Mapping[str, Action], wanted: Order) -> DeliveryFailed:
    """How carrying it out fails; AssertionError if it does not."""
    try:
        carry_out(known, wanted)
    except DeliveryFailed as failure:
        return failure
    raise AssertionError(f"{wanted.action} did not fail")

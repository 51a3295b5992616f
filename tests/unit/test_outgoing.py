"""The envelope of an event, and the order in which messages go out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from receiver.domain.outgoing import HeldLanes, Message, OutgoingEvent, lanes, message_of
from receiver.domain.retry import Backoff

EVENT = OutgoingEvent(
    event_id=42,
    type="incident.opened",
    incident_id="INC-1",
    alert_id=None,
    action_id=None,
    actor="prometheus",
    trace_id="f" * 32,
    payload={"title": "Disk voll auf süd-1"},
    created_at=datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC),
)


def test_the_envelope_tells_all_that_the_row_holds() -> None:
    message = message_of(EVENT)
    assert (message.topic, message.key, message.message_id) == ("incident.opened", "INC-1", "42")
    assert json.loads(message.body) == {
        "version": 1,
        "event_id": 42,
        "type": "incident.opened",
        "created_at": "2026-01-02T03:04:05.000060Z",
        "incident_id": "INC-1",
        "alert_id": None,
        "action_id": None,
        "actor": "prometheus",
        "trace_id": "f" * 32,
        "truncated": False,
        "payload": {"title": "Disk voll auf süd-1"},
    }


def test_a_truncated_envelope_lacks_the_payload_only_and_says_so() -> None:
    whole, stub = json.loads(message_of(EVENT).body), json.loads(message_of(EVENT, truncated=True).body)
    assert stub == whole | {"truncated": True, "payload": {}}


def test_messages_of_one_key_make_one_lane_in_their_order_and_those_without_stand_alone() -> None:
    batch = [Message(n, "t", key, b"") for n, key in enumerate(["a", None, "b", "a", None], start=1)]
    assert [[one.event_id for one in lane] for lane in lanes(batch)] == [[1, 4], [2], [3], [5]]


class _Steady(Backoff):
    def delay_seconds(self, attempt: int, draw: object = None) -> float:
        return float(attempt)


def test_a_lane_waits_longer_each_time_until_something_gets_through() -> None:
    held = HeldLanes(_Steady())
    held.hold("a", now=100.0)
    assert (held.closed(100.5), held.closed(101.0)) == (["a"], [])
    held.hold("a", now=101.0)
    assert (held.closed(102.5), held.closed(103.0)) == (["a"], [])
    assert "a" in held  # it is open again, but not forgiven
    held.release(["a"])
    held.hold("a", now=200.0)
    assert held.closed(201.0) == []

"""What goes out to a broker: an event's envelope (docs/events.md), its order, and what waits after a failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from receiver.domain.retry import Backoff


@dataclass(frozen=True, slots=True, eq=False)
class OutgoingEvent:
    """A row of the outbox. `event_id` rises in commit order within an incident, and in no order across incidents."""

    event_id: int
    type: str
    incident_id: str | None
    alert_id: str | None
    action_id: str | None
    actor: str
    trace_id: str
    payload: Mapping[str, Any]
    created_at: datetime

    @property
    def lane(self) -> str | int:
        """Those of one lane go out in their order: the events of an incident, or one without incident by itself."""
        return self.incident_id or self.event_id


@dataclass(frozen=True, slots=True)
class Message:
    """An event as a broker takes it. `topic` is its type; `key` what it is kept in order by, None for nothing."""

    event_id: int
    topic: str
    key: str | None
    body: bytes

    @property
    def message_id(self) -> str:
        """By this consumers, and JetStream itself, know the same event again."""
        return str(self.event_id)


@dataclass(slots=True)
class PublishReport:
    """What became of a batch, by event_id. What stands nowhere in it was not sent: something before it failed.

    `failures` are reasons for people; of them, and only of them, nobody knows whether the broker has the message.
    """

    acknowledged: list[int] = field(default_factory=list)
    too_large: set[int] = field(default_factory=set)
    failures: dict[int, str] = field(default_factory=dict)


def message_of(event: OutgoingEvent, *, truncated: bool = False) -> Message:
    """The message that tells `event`; with `truncated` without its payload, for a broker that takes no large ones."""
    envelope = {
        "version": 1,
        "event_id": event.event_id,
        "type": event.type,
        "created_at": event.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "incident_id": event.incident_id,
        "alert_id": event.alert_id,
        "action_id": event.action_id,
        "actor": event.actor,
        "trace_id": event.trace_id,
        "truncated": truncated,
        "payload": {} if truncated else event.payload,
    }
    return Message(event.event_id, event.type, event.incident_id, msgspec.json.encode(envelope))


def lanes(batch: Iterable[Message]) -> list[list[Message]]:
    """The messages by key, each list in the order given; those without a key stand alone."""
    found: dict[str | int, list[Message]] = {}
    for message in batch:
        found.setdefault(message.key or message.event_id, []).append(message)
    return list(found.values())


class HeldLanes:
    """Lanes whose next message failed: they wait, longer each time, while the others go on. Times in seconds."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._held: dict[str | int, tuple[int, float]] = {}

    def hold(self, lane: str | int, now: float) -> None:
        """The lane's next message failed (again)."""
        failures = self._held.get(lane, (0, 0.0))[0] + 1
        self._held[lane] = (failures, now + self._backoff.delay_seconds(failures))

    def release(self, moved: Iterable[str | int]) -> None:
        """A message of these lanes got through."""
        for lane in moved:
            self._held.pop(lane, None)

    def closed(self, now: float) -> Sequence[str | int]:
        """The lanes that still have to wait."""
        return [lane for lane, (_, until) in self._held.items() if until > now]

    def clear(self) -> None:
        """Forget them all."""
        self._held.clear()

    def __contains__(self, lane: str | int) -> bool:
        return lane in self._held

    def __len__(self) -> int:
        return len(self._held)

"""What the senders send: alerts of many keys, a few of them hot; resolves, repeats, disorder, and rubbish."""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from faults.secrets import IN_BODIES

KEYS, HOT_KEYS, HOT_SHARE = 60, 4, 0.4
RESOLVED_SHARE, REDELIVERED_SHARE, DISORDERED_SHARE, MALFORMED_SHARE = 0.30, 0.05, 0.05, 0.01
MEMBERS = 3  # different alerts of one key; at least as many as a request may hold
REMEDIATED_KEYS = 6  # the rules run an action for these
_STEP = timedelta(microseconds=200)
_NEVER = "0001-01-01T00:00:00Z"
_RUBBISH = (
    b"",
    b"null",
    b"{",
    b"this is not JSON",
    b'{"alerts": null, "version": "4"}',
    b'{"version": "4", "alerts": [{"status": "fir',
    b"\xff\xfe{\x00}\x00",
    b"[" * 5000,
)


@dataclass(slots=True)
class _Member:
    """One alert rule's instance, as its sender knows it."""

    firing: bool = False
    starts_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sent:
    """A body to send, and what it is: for the history only."""

    body: bytes
    what: str
    alerts: int


@dataclass(slots=True)
class Senders:
    """Makes bodies. Threads may share it. The same seed makes the same bodies, in the order of the calls."""

    seed: int = 1
    largest_group: int = 4
    keys: int = KEYS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _members: dict[tuple[int, int], _Member] = field(default_factory=dict)
    _sent: deque[Sent] = field(default_factory=lambda: deque(maxlen=500))
    _held_back: deque[Sent] = field(default_factory=deque)
    _random: random.Random = field(init=False)
    _now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._now = datetime.now(UTC) - timedelta(hours=1)

    def next(self) -> Sent:
        """The next body."""
        with self._lock:
            draw = self._random.random()
            if draw < MALFORMED_SHARE:
                return Sent(self._random.choice(_RUBBISH), "malformed", 0)
            if draw < MALFORMED_SHARE + REDELIVERED_SHARE and self._sent:
                again = self._random.choice(self._sent)
                return Sent(again.body, "redelivered", again.alerts)
            if self._held_back and self._random.random() < DISORDERED_SHARE:
                return self._held_back.popleft()
            made = self._make()
            if self._random.random() < DISORDERED_SHARE:
                # It comes later, after what was made after it: its key has had newer alerts by then.
                self._held_back.append(Sent(made.body, "disordered", made.alerts))
                made = self._make()
            self._sent.append(made)
            return made

    def _make(self) -> Sent:
        key = self._key()
        count = self._random.randint(1, self.largest_group)
        if count <= MEMBERS:
            numbers = [self._random.randrange(MEMBERS) for _ in range(count)]
        else:  # a large group names each of its alerts once, as Alertmanager's do
            numbers = self._random.sample(range(self.largest_group), count)
        return Sent(body_of([self._alert(key, number) for number in numbers]), "new", count)

    def _key(self) -> int:
        if self._random.random() < HOT_SHARE:
            return self._random.randrange(min(HOT_KEYS, self.keys))
        return self._random.randrange(self.keys)

    def _alert(self, key: int, number: int) -> dict[str, Any]:
        member = self._members.setdefault((key, number), _Member())
        self._now += _STEP
        resolves = self._random.random() < RESOLVED_SHARE
        if not resolves and (not member.firing or self._random.random() < 0.2):
            member.starts_at = self._now
        member.firing = not resolves
        return alert_of(f"svc-{key}", number, member.starts_at, self._now if resolves else None)


def alert_of(
    service: str, member: int, starts_at: datetime, ends_at: datetime | None = None
) -> dict[str, Any]:
    """One alert of a service; with `ends_at` it is resolved."""
    return {
        "status": "resolved" if ends_at else "firing",
        "labels": {
            "alertname": "CpuHigh",
            "rule_uid": f"rule-{service}",
            "cluster": "prod",
            "namespace": "shop",
            "service": service,
            "instance": f"node-{member}",
            "severity": "critical",
        },
        "annotations": {"summary": f"{service} is busy", "note": IN_BODIES},
        "startsAt": _text(starts_at),
        "endsAt": _text(ends_at) if ends_at else _NEVER,
        "generatorURL": "http://prometheus.example.internal:9090/graph?g0.expr=up",
        "fingerprint": f"{service}-{member}",
    }


def body_of(alerts: list[dict[str, Any]]) -> bytes:
    """Alertmanager's request about these alerts."""
    firing = any(one["status"] == "firing" for one in alerts)
    return json.dumps(
        {
            "receiver": "incidents",
            "status": "firing" if firing else "resolved",
            "alerts": alerts,
            "groupLabels": {"alertname": "CpuHigh"},
            "commonLabels": {"alertname": "CpuHigh", "cluster": "prod"},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.internal:9093",
            "version": "4",
            "groupKey": '{}:{alertname="CpuHigh"}',
            "truncatedAlerts": 0,
        }
    ).encode()


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

"""Jobs that nobody can do."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import insert

from faults.checks.processes import POISON_TRACE
from faults.stack import Stack
from receiver.storage.tables import jobs

_POISON: tuple[tuple[str, str, Any], ...] = (
    ("notify", "notify-slack", {}),
    ("notify", "notify-slack", {"template": "opened"}),
    ("notify", "notify-pagerduty", {"template": "no such thing", "channel": "pagerduty", "sequence": "x"}),
    (
        "notify",
        "notify-slack",
        {"bundle": "no such bundle", "channel": "slack", "template": "opened", "since": 7},
    ),
    ("notify", "notify-slack", ["a list"]),
    ("remediate", "remediate", {"action_id": "ACT-none", "step": "run"}),
    ("remediate", "remediate", {}),
    ("escalate", "escalate", {"escalation": None}),
    ("diagnose", "diagnose", {"diagnosis": {"no": "such"}}),
)


def poison(stack: Stack, seconds: float) -> None:
    """Jobs with payloads that make no sense: each must end, done or as a dead letter, and hold up no other.

    None of kind `publish`: that one only waits, here where there is no broker.
    """
    with stack.engine.begin() as connection:
        for number, (kind, queue, payload) in enumerate(_POISON * 3):
            connection.execute(
                insert(jobs).values(
                    queue=queue,
                    kind=kind,
                    idempotency_key=f"poison:{number}",
                    payload=payload,
                    incident_id=None if number % 2 else "INC-20260101000000-0123456789abcdef",
                    max_attempts=3,
                    trace_id=POISON_TRACE,
                )
            )
    time.sleep(seconds)

"""Webhook bodies for tests that care about labels and states only; raw_bodies.py has every field of the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.builders import raw_bodies

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def alert(
    name: str = "CpuHigh",
    *,
    status: str = "firing",
    starts_at: datetime = STARTED,
    annotations: Mapping[str, Any] | None = None,
    **labels: Any,
) -> dict[str, Any]:
    """One alert with these labels; each other set of labels is another member."""
    return raw_bodies.alert(
        status=status,
        labels={"alertname": name, "severity": "critical", **labels},
        annotations=dict(annotations or {"summary": f"{name} is unhappy"}),
        startsAt=_text(starts_at),
        endsAt=raw_bodies.NO_TIME if status == "firing" else _text(datetime.now(UTC)),
        fingerprint=...,  # computed from the labels then
    )


def alertmanager(alerts: Sequence[Any], **changes: Any) -> bytes:
    """An Alertmanager v4 body."""
    return raw_bodies.alertmanager(*alerts, **changes)


def grafana(alerts: Sequence[Any], **changes: Any) -> bytes:
    """A Grafana unified body."""
    return raw_bodies.grafana(*alerts, **changes)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

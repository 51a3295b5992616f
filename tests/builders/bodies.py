"""Webhook bodies as Alertmanager and Grafana write them, with just the parts that a test is about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NEVER = "0001-01-01T00:00:00Z"


def alert(
    name: str = "CpuHigh",
    *,
    status: str = "firing",
    starts_at: datetime = STARTED,
    annotations: Mapping[str, Any] | None = None,
    **labels: Any,
) -> dict[str, Any]:
    """One alert of an Alertmanager body."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": dict(annotations or {"summary": f"{name} is unhappy"}),
        "startsAt": starts_at.isoformat().replace("+00:00", "Z"),
        "endsAt": NEVER if status == "firing" else datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "generatorURL": "http://prometheus.example.internal:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    }


def alertmanager(alerts: Sequence[Any], **changes: Any) -> bytes:
    """An Alertmanager v4 body."""
    body = {
        "receiver": "receiver",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.internal:9093",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
    }
    return json.dumps(body | changes).encode()


def grafana(alerts: Sequence[Any], **changes: Any) -> bytes:
    """A Grafana unified body."""
    return alertmanager(
        alerts,
        **{
            "version": "1",
            "orgId": 1,
            "state": "alerting",
            "title": "",
            "message": "",
            "externalURL": "https://g.example/",
        }
        | changes,
    )

"""Webhook bodies like the senders': each function gives a good one, of which a test changes what it is about."""

from __future__ import annotations

import json
from typing import Any

STARTS_AT = "2026-11-21T08:05:47.510681Z"
NO_TIME = "0001-01-01T00:00:00Z"


def alert(**changes: Any) -> dict[str, Any]:
    """One firing alert of a Prometheus rule; a change of `...` takes the field away."""
    good = {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "cluster": "prod-eu1", "severity": "critical"},
        "annotations": {"summary": "5xx over 5 %"},
        "startsAt": STARTS_AT,
        "endsAt": NO_TIME,
        "generatorURL": "http://prometheus.example.internal:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "fingerprint": "507bbf47f202b0ab",
    }
    return _changed(good, changes)


def alertmanager(*alerts: Any, **changes: Any) -> bytes:
    """An Alertmanager body with these alerts."""
    return json.dumps(_changed(_envelope(alerts, "4"), changes), ensure_ascii=False).encode()


def grafana(*alerts: Any, **changes: Any) -> bytes:
    """A body of Grafana's unified alerting with these alerts."""
    envelope = _envelope(alerts, "1") | {
        "externalURL": "https://grafana.example.internal/",
        "orgId": 1,
        "title": "[FIRING:1] HighErrorRate",
        "state": "alerting",
        "message": "**Firing**",
    }
    return json.dumps(_changed(envelope, changes), ensure_ascii=False).encode()


def grafana_legacy(**changes: Any) -> bytes:
    """A body of Grafana's legacy alerting."""
    good = {
        "title": "[Alerting] API latency p99",
        "ruleId": 118,
        "ruleName": "API latency p99",
        "state": "alerting",
        "evalMatches": [{"value": 912.5, "metric": "p99", "tags": {"cluster": "prod-us1"}}],
        "orgId": 1,
        "tags": {"severity": "critical", "namespace": "edge"},
        "ruleUrl": "https://grafana.example.internal/d/edge/edge?tab=alert",
        "message": "p99 too high",
    }
    return json.dumps(_changed(good, changes), ensure_ascii=False).encode()


def _envelope(alerts: tuple[Any, ...], version: str) -> dict[str, Any]:
    return {
        "receiver": "incidents",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.internal:9093",
        "version": version,
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
    }


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (good | changes).items() if value is not ...}

"""The outage that `receiver demo` plays: a slow database, then API errors, pods that fail, and a queue that fills up.

Pure: the bodies follow from the time of the outage alone. Alertmanager and Grafana send such shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from receiver.clock import isoformat
from receiver.sources.fingerprint import labels_fingerprint

ALERTMANAGER = "/api/v1/webhooks/alertmanager"
GRAFANA = "/api/v1/webhooks/grafana"
PODS = 30

_PLACE = {"cluster": "prod-eu", "namespace": "shop"}
_NEVER = "0001-01-01T00:00:00Z"
_SILENT = "http://grafana.example/"
_RULE_UID = "fe8g2kq1x0d1sd"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One request: what it tells, where it goes, and its body. `about` names what its incident is about."""

    tells: str
    path: str
    body: Mapping[str, Any]
    about: str = ""


def storm(now: datetime) -> list[Step]:
    """The requests in order, of an outage that began at `now`."""
    ended = now + timedelta(seconds=5)
    slow = _labels("PostgresSlowQueries", "orders-db", "warning", instance="db-1")
    pods = [_labels("PodNotReady", "checkout", "warning", pod=f"checkout-{n:02}") for n in range(PODS)]
    routes = [
        _labels("ApiErrorRate", "checkout", "error", route=route) for route in ("/cart", "/pay", "/orders")
    ]
    backlog = _labels("QueueBacklog", "order-queue", "warning", queue="orders")
    worse = _labels("PostgresSlowQueries", "orders-db", "critical", instance="db-2")
    return [
        _alertmanager("The database gets slow", [slow], now),
        _grafana("The API begins to fail", routes, now),
        _alertmanager(f"{PODS} pods fail their checks, in one group", pods, now),
        _alertmanager("Orders pile up in their queue", [backlog], now),
        _alertmanager("Alertmanager repeats the pods", pods, now),
        _alertmanager("The database's second node is critical", [worse], now),
        _test_button(now),
        Step(
            "A contact point with a template of its own", GRAFANA, {"text": "db-1 is slow", "colour": "red"}
        ),
        _alertmanager("The queue is empty again", [backlog], now, ended),
        _alertmanager("The pods are well again", pods, now, ended),
        _grafana("One of the routes recovers", routes[:1], now, ended),
    ]


def _labels(name: str, service: str, severity: str, **more: str) -> Labels:
    return {"alertname": name, "service": service, "severity": severity, **_PLACE, **more}


def _alertmanager(
    tells: str, alerts: Sequence[Labels], began: datetime, ended: datetime | None = None
) -> Step:
    """See https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""
    name = alerts[0]["alertname"]
    body = {
        **_envelope(name, [_alert(labels, began, ended) for labels in alerts]),
        "version": "4",
        "externalURL": "http://alertmanager.example:9093",
    }
    return Step(tells, ALERTMANAGER, body, about=name)


def _grafana(tells: str, alerts: Sequence[Labels], began: datetime, ended: datetime | None = None) -> Step:
    """See https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/."""
    name = alerts[0]["alertname"]
    page = f"{_SILENT}alerting/grafana/{_RULE_UID}/view?orgId=1"
    wire = [_alert(labels, began, ended) | {"generatorURL": page, "values": {"B": 0.31}} for labels in alerts]
    return Step(tells, GRAFANA, _grafana_envelope(name, wire), about=name)


def _test_button(now: datetime) -> Step:
    labels = {"alertname": "TestAlert", "instance": "Grafana"}
    wire = _alert(labels, now, None) | {"generatorURL": "", "values": None}
    key = f"alert-receiver-{labels_fingerprint(labels)}-{now:%s}"
    return Step(
        "Somebody presses Grafana's Test button", GRAFANA, _grafana_envelope("TestAlert", [wire], key)
    )


def _grafana_envelope(name: str, alerts: list[dict[str, Any]], group_key: str = "") -> dict[str, Any]:
    body = _envelope(name, alerts) | {"version": "1", "orgId": 1, "externalURL": _SILENT}
    body |= {
        "title": f"[{body['status'].upper()}:{len(alerts)}] {name}",
        "state": "alerting",
        "message": name,
    }
    return body | {"groupKey": group_key} if group_key else body


def _envelope(name: str, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "receiver": "alert-receiver",
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": {"alertname": name},
        "commonLabels": {"alertname": name},
        "commonAnnotations": {},
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
    }


def _alert(labels: Labels, began: datetime, ended: datetime | None) -> dict[str, Any]:
    where = labels.get("pod") or labels.get("route") or labels.get("instance") or labels.get("queue")
    return {
        "status": "resolved" if ended else "firing",
        "labels": dict(labels),
        "annotations": {
            "summary": f"{labels['alertname']} on {where}",
            "runbook_url": f"https://runbooks.example/{labels['alertname']}",
        },
        "startsAt": isoformat(began),
        "endsAt": isoformat(ended) or _NEVER,
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up&g0.tab=1",
        "fingerprint": labels_fingerprint(labels),
    }

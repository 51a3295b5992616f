"""Alertmanager's webhook requests, ready to be sent: all but a serial number is worked out before the clock starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

PATH = "/api/v1/webhooks/alertmanager"
_SERIAL = "SERIALNUMBER"  # stands in the texts where the 12 hex digits of a serial number go
_FIRING_SINCE = timedelta(minutes=5)
_NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a body holds: `alerts` alerts spread over `services` services.

    `fresh_services`: every serial number has services of its own, so its body opens as many incidents; else all bodies
    are about the same services. Each alert of each serial number is a different one (instance, fingerprint) either way.
    """

    alerts: int = 1
    services: int = 1
    fresh_services: bool = True

    def keys(self, serials: int) -> int:
        """How many incident keys the bodies of that many different serial numbers have."""
        if not serials:
            return 0
        return self.services * (serials if self.fresh_services else 1)


class Requests:
    """The requests of one shape: `make(serial)` gives the bytes.

    `token`: the bearer token that lets the sender in, if one is asked for; `path`: where they go.
    """

    def __init__(
        self, shape: Shape, *, token: str | None, now: datetime | None = None, path: str = PATH
    ) -> None:
        body = _body(shape, (now or datetime.now(UTC)) - _FIRING_SINCE)
        authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
        head = (
            f"POST {path} HTTP/1.1\r\n"
            "Host: receiver.example.internal\r\n"
            "User-Agent: Alertmanager/0.27.0\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"{authorization}"
            "Content-Type: application/json\r\n\r\n"
        )
        self.body_bytes = len(body)
        self._parts = (head + body).encode().split(_SERIAL.encode())

    def make(self, serial: int) -> bytes:
        """The request with this serial number: the same number, the same bytes."""
        return (b"%012x" % serial).join(self._parts)


def _body(shape: Shape, started: datetime) -> str:
    alerts = [_alert(shape, number, started) for number in range(shape.alerts)]
    common = _common([alert["labels"] for alert in alerts])
    group = {
        name: common[name] for name in ("alertname", "cluster", "namespace", "service") if name in common
    }
    matched = ", ".join(f'{name}="{value}"' for name, value in group.items())
    body = {
        "receiver": "incidents",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": group,
        "commonLabels": common,
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": "http://alertmanager.example.internal:9093",
        "version": "4",
        "groupKey": f'{{}}/{{severity=~"critical|warning"}}:{{{matched}}}',
        "truncatedAlerts": 0,
    }
    # Like Go's encoder: nothing between the parts, and & < > as escapes.
    text = json.dumps(body, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _alert(shape: Shape, number: int, started: datetime) -> dict[str, Any]:
    place = number % shape.services
    service = f"checkout-{_SERIAL}-{place}" if shape.fresh_services else f"checkout-{place}"
    pod = f"api-{_SERIAL}-{number:04x}"
    return {
        "status": "firing",
        "labels": {
            "alertname": "HighRequestLatency",
            "cluster": "prod-eu1",
            "instance": f"{_SERIAL}{number:04x}",
            "job": "kubernetes-pods",
            "namespace": "checkout",
            "pod": pod,
            "service": service,
            "severity": "critical",
        },
        "annotations": {
            "description": f"p99 of {service} has been over 500 ms for 10 minutes.",
            "runbook_url": "https://runbooks.example.internal/HighRequestLatency",
            "summary": f"{service} answers slowly in prod-eu1",
        },
        "startsAt": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "endsAt": _NEVER,
        "generatorURL": "http://prometheus.example.internal:9090/graph?g0.expr=histogram_quantile%280.99%2C+sum"
        "+by+%28le%29+%28rate%28http_request_seconds_bucket%5B5m%5D%29%29%29+%3E+0.5&g0.tab=1",
        "fingerprint": f"{_SERIAL}{number:04x}",
    }


def _common(texts: list[dict[str, str]]) -> dict[str, str]:
    return {name: value for name, value in texts[0].items() if all(other[name] == value for other in texts)}

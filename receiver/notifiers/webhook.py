"""Any HTTP service by generic webhook: versioned JSON, signed after the Standard Webhooks scheme.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from receiver.clock import Clock, as_utc, isoformat, utc_now
from receiver.domain.incident import ID_PREFIX, is_open
from receiver.domain.notification import BundledIncident, Notification, Receipt, Template
from receiver.domain.signing_key import parse_signing_key
from receiver.httpclient import HttpClient, encode
from receiver.notifiers.facts import number
from receiver.notifiers.plain_text import is_web_link, one_line, paragraph

VERSION = "1"
_LINE = 500
_TEXT = 4000
_CHANGES = 20
_DETAILS, _DETAIL = 12, 300
_BUNDLED, _BUNDLED_LINE = 50, 150
# What is not `incident.` and the occasion.
_TYPES: Mapping[Template, str] = {
    Template.TEST: "test",
    Template.ACTION_FAILED: "action.failed",
    Template.ACTION_COMPLETED: "action.completed",
    Template.APPROVAL_NEEDED: "action.approval_needed",
}


class Webhook:
    """Posts to `url` what `secrets` sign, all of them, so that the other side can change from one to the next.

    `http` must have an AddressGuard: who sets the address need not be who runs this machine.
    """

    name = "webhook"
    # Never bundled: a program wants each incident by itself.
    templates = frozenset(Template) - {Template.TEST, Template.BUNDLE}

    def __init__(self, url: str, secrets: Sequence[str], http: HttpClient, clock: Clock = utc_now) -> None:
        self._url = url
        self._secrets = tuple(secrets)
        self._http = http
        self._clock = clock

    def send(self, notification: Notification) -> Receipt:
        """Post one message. A repeat has the same webhook-id, by which the other side knows it.

        Raises DeliveryFailed.
        """
        body = encode(document(notification))
        id_, timestamp = webhook_id(notification), int(self._clock().timestamp())
        keys = map(parse_signing_key, self._secrets)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(key, id_, timestamp, body) for key in keys),
        }
        response = self._http.post_encoded(self._url, body, headers, secrets=self._secrets)
        return Receipt(detail=f"HTTP {response.status}", provider_ref=id_)


def webhook_id(n: Notification) -> str:
    """The message's name: the same whenever it is sent."""
    if n.template is Template.TEST:  # each test is another message
        return f"{n.incident_id}.test.{int(as_utc(n.opened_at).timestamp() * 1000)}"
    return f"{n.incident_id}.{n.template.value}.{n.sequence}"


def signature(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode()


def document(n: Notification) -> dict[str, Any]:
    """The body. Within a version fields may be added, none changes its meaning. Pure."""
    kind = _TYPES.get(n.template, f"incident.{n.template.value}")
    data: dict[str, Any] = {
        "incident": _incident(n),
        "changes": [one_line(one, _LINE) for one in n.changes[:_CHANGES]],
        "details": [one_line(one, _DETAIL) for one in n.details[:_DETAILS]],
        "diagnostics": [one_line(one, _DETAIL) for one in n.diagnostics[:_DETAILS]],
        "action_id": one_line(n.action_id, 64) or None,
    }
    if n.template is Template.BUNDLE:
        kind = f"incidents.{'opened' if is_open(n.status) else 'resolved'}"
        data = {"incidents": [_bundled(one) for one in n.incidents[:_BUNDLED]]}
    return {
        "version": VERSION,
        "type": kind,
        "timestamp": isoformat(_happened_at(n)),
        "data": data,
    }


def _bundled(one: BundledIncident) -> dict[str, Any]:
    return {
        "incident_id": one_line(one.incident_id, _BUNDLED_LINE),
        "number": f"{ID_PREFIX}{one.number}",
        "title": one_line(one.title, _BUNDLED_LINE),
        "severity": one_line(one.severity, _BUNDLED_LINE),
        "priority": one_line(one.priority, _BUNDLED_LINE),
        "service": one_line(one.service, _BUNDLED_LINE),
        "opened_at": isoformat(one.opened_at),
        "url": one.incident_url if is_web_link(one.incident_url) else None,
    }


def _happened_at(n: Notification) -> datetime:
    """When what the message tells of happened."""
    at = {
        Template.UPDATED: n.last_seen_at,
        Template.ACKNOWLEDGED: n.acknowledged_at,
        Template.RESOLVED: n.resolved_at,
    }
    return at.get(n.template) or n.opened_at


def _incident(n: Notification) -> dict[str, Any]:
    links = {name: url for name, url in n.links.items() if is_web_link(url)}
    return {
        "incident_id": n.incident_id,
        "number": number(n),
        "title": one_line(n.title, _LINE),
        "summary": paragraph(n.summary, _TEXT),
        "status": n.status,
        "severity": n.severity,
        "priority": n.priority,
        "service": one_line(n.service, _LINE),
        "cluster": one_line(n.cluster, _LINE),
        "namespace": one_line(n.namespace, _LINE),
        "alert_count": n.alert_count,
        "firing_count": n.firing_count,
        "opened_at": isoformat(n.opened_at),
        "last_seen_at": isoformat(n.last_seen_at),
        "acknowledged_at": isoformat(n.acknowledged_at),
        "acknowledged_by": one_line(n.acknowledged_by, _LINE) or None,
        "resolved_at": isoformat(n.resolved_at),
        "resolved_by": one_line(n.resolved_by, _LINE) or None,
        "links": links,
        "url": n.incident_url if is_web_link(n.incident_url) else None,
    }

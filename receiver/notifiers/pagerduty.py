"""PagerDuty by Events API v2: one event for each message; all of an incident share its dedup_key.

https://developer.pagerduty.com/docs/send-alert-event and .../events-api-v2-overview (limits, answers)
"""

from __future__ import annotations

import json
from typing import Any

from receiver.clock import isoformat
from receiver.domain.notification import Notification, Receipt, Template
from receiver.domain.severity import Severity
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, Response, failure_of
from receiver.notifiers.facts import facts, links, number
from receiver.notifiers.plain_text import one_line, paragraph
from receiver.notifiers.template_files import PAGERDUTY_SUMMARY
from receiver.notifiers.texts import SHIPPED_TEXTS, Texts, Wording, shipped_wording

_ACTIONS = {
    Template.OPENED: "trigger",
    Template.UPDATED: "trigger",  # with a known dedup_key: goes into the alert's log and calls nobody again
    Template.ACKNOWLEDGED: "acknowledge",
    Template.RESOLVED: "resolve",
    Template.TEST: "trigger",
    # Whom the steps before did not reach: where the incident is known already, it calls nobody again.
    Template.ESCALATED: "trigger",
}
_TEST_KEY = "alert-receiver-test"
_SUMMARY = 1024  # PagerDuty's limit; a whole event may have 512 kB, of which ours never need a tenth
_DETAILS = 2000
_SOURCE = 255


class PagerDuty:
    """Sends events for the service that belongs to `routing_key`, which is a secret."""

    name = "pagerduty"
    # The others have no event: a trigger would call people, for an incident that may be over, too.
    templates = frozenset(_ACTIONS) - {Template.TEST}

    def __init__(
        self, routing_key: str, events_url: str, http: HttpClient, texts: Texts = SHIPPED_TEXTS
    ) -> None:
        self._texts = texts
        self._routing_key = routing_key
        self._url = f"{events_url}/v2/enqueue"
        self._http = http

    def send(self, notification: Notification) -> Receipt:
        """Send one event. Sent twice it changes nothing: PagerDuty folds by dedup_key.

        Raises DeliveryFailed.
        """
        if notification.template not in _ACTIONS:
            raise DeliveryFailed(f"PagerDuty has no event for {notification.template}", permanent=True)
        wording = self._texts.of(notification)
        body = {"routing_key": self._routing_key, **event(notification, wording)}
        response = self._http.post_json(self._url, body, judge=verdict, secrets=[self._routing_key])
        return Receipt(detail=wording.receipt(response.excerpt()), provider_ref=dedup_key(notification))


def dedup_key(n: Notification) -> str:
    """What PagerDuty knows the incident by; all test messages share one."""
    return _TEST_KEY if n.template is Template.TEST else n.incident_id


def event(n: Notification, wording: Wording | None = None) -> dict[str, Any]:
    """The event without its routing key. Pure. `wording` has its texts, by default the shipped ones."""
    place = " / ".join(filter(None, (one_line(part, 80) for part in (n.cluster, n.namespace, n.service))))
    payload = {
        "summary": one_line((wording or shipped_wording(n)).render(PAGERDUTY_SUMMARY).text, _SUMMARY),
        "source": one_line(place, _SOURCE) or "unknown",
        "severity": n.severity if n.severity in tuple(Severity) else Severity.WARNING.value,
        "timestamp": isoformat(n.opened_at),
        "component": one_line(n.service, _SOURCE),
        "group": one_line(n.cluster, _SOURCE),
        "custom_details": _details(n),
    }
    found = {
        "event_action": _ACTIONS[n.template],
        "dedup_key": dedup_key(n),
        "payload": {name: value for name, value in payload.items() if value},
        "client": "Alert receiver",
        "links": [{"href": url, "text": label} for label, url in links(n)],
    }
    urls = dict(links(n))
    if f"Open {number(n)}" in urls:
        found["client_url"] = urls[f"Open {number(n)}"]
    return found


def _details(n: Notification) -> dict[str, str]:
    found = dict(facts(n))
    found["Summary"] = paragraph(n.summary, _DETAILS)
    found["Changes"] = paragraph("\n".join((*n.changes, *n.details)), _DETAILS)
    found["Diagnostics"] = paragraph("\n".join(n.diagnostics), _DETAILS)
    return {name: value for name, value in found.items() if value}


def verdict(response: Response) -> DeliveryFailed | None:
    """What PagerDuty's answer means: None for 202, else the failure with PagerDuty's own words for it.

    2xx of another kind is a failure that trying again will not mend: what answers there is not PagerDuty.
    """
    if response.status == 202:
        return None
    if response.is_success:
        return DeliveryFailed(
            f"HTTP {response.status} instead of 202, with `{response.excerpt()}`: is RECEIVER_PAGERDUTY_EVENTS_URL"
            " the address of PagerDuty's Events API?",
            permanent=True,
            outcome_unknown=True,
            http_status=response.status,
        )
    words = response.quote(_reasons(response.text))
    if response.status == 400 and words:
        return DeliveryFailed(f"PagerDuty says (HTTP 400): {words}", permanent=True, http_status=400)
    return failure_of(response)


def _reasons(text: str) -> str:
    """The words in `{"status": "invalid event", "message": "...", "errors": [...]}`, empty if it is none."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    reasons = [answer.get("message"), *(errors if isinstance(errors, list) else [])]
    return "; ".join(reason for reason in reasons if isinstance(reason, str))

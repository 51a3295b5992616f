"""Grafana's legacy dashboard alerting, 4 to 10: one body is one alert of one rule.

See pkg/services/alerting/notifiers/webhook.go of github.com/grafana/grafana.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw

from receiver.domain.alert import Alert, AlertStatus, ParsedBody, RejectedAlert
from receiver.domain.key import incident_key
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.envelope import Envelope
from receiver.sources.fields import NO_DATA, TEST_RULE_UID, first_of, summary_of, title_of, urgency_of
from receiver.sources.fingerprint import labels_fingerprint
from receiver.sources.scalars import text_of

# State -> what it means here, and the reason that goes with it. A rule without data must reach people too.
_STATES = {
    "alerting": (AlertStatus.FIRING, ""),
    "no_data": (AlertStatus.FIRING, NO_DATA),
    "pending": (AlertStatus.FIRING, ""),
    "unknown": (AlertStatus.FIRING, ""),
    "ok": (AlertStatus.RESOLVED, ""),
    "paused": (AlertStatus.RESOLVED, "Paused"),
}
# pkg/services/alerting/test_notification.go; the first releases send no message, but rule 0.
_TEST_RULE_NAME = "Test notification"
_TEST_MESSAGE = "someone is testing the alert notification within grafana"
# The older bodies carry no orgId. With Grafana's first organisation a rule keeps its UID over the upgrade.
_FIRST_ORG = "1"

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class GrafanaLegacy:
    """Bodies with ruleId and state, and no version."""

    name = "grafana_legacy"

    def recognises(self, envelope: Envelope) -> bool:
        """Whether the body names a rule by number and its state."""
        return isinstance(envelope.wire.rule_id, Raw) and isinstance(envelope.wire.state, Raw)

    def parse(self, envelope: Envelope, mapping: FieldMapping, received_at: datetime) -> ParsedBody:
        """See base.Source."""
        try:
            raw = envelope.body.decode()
            fields = {name: bytes(value) for name, value in _MEMBERS.decode(envelope.body).items()}
            return ParsedBody(self.name, [_alert_of(raw, fields, mapping)])
        except UnicodeDecodeError as bad:
            raise UnintelligibleBody(f"not UTF-8 at byte {bad.start}") from None
        except (msgspec.DecodeError, RecursionError):
            raise UnintelligibleBody(
                "a field holds NaN, Infinity or half of a surrogate pair, or is nested too deeply"
            ) from None


def _alert_of(raw: str, fields: dict[str, bytes], mapping: FieldMapping) -> Alert | RejectedAlert:
    state = _STATES.get(_text(fields, "state").lower())
    rule_id = _text(fields, "ruleId")
    if state is None:
        return RejectedAlert(raw, f"state is one that is not known, expected one of {', '.join(_STATES)}")
    if not rule_id:
        return RejectedAlert(raw, "ruleId has no value, expected a number")
    status, state_reason = state
    name = _text(fields, "ruleName") or _text(fields, "title")
    org_id = _text(fields, "orgId") or _FIRST_ORG
    is_test = _is_test(name, rule_id, _text(fields, "message"))
    rule_uid = TEST_RULE_UID if is_test else f"grafana-legacy:{org_id}:{rule_id}"
    # The tags inside evalMatches are left out: a recovery comes without them, so that with them in the incident key it
    # would miss the incident that it ends.
    labels = _tags(fields.get("tags", b"null")) | {"alertname": name}
    cluster = first_of(labels, mapping.cluster)
    namespace = first_of(labels, mapping.namespace)
    service = first_of(labels, mapping.service)
    phase = first_of(labels, mapping.phase)
    severity, priority = urgency_of(first_of(labels, mapping.severity), mapping)
    source = _text(fields, "ruleUrl") or _text(fields, "rule_url")  # the latter in 4.x
    return Alert(
        status=status,
        rule_uid=rule_uid,
        alertname=name,
        # Over the rule alone, so that firing and recovery are of one episode.
        fingerprint=labels_fingerprint({"org_id": org_id, "rule_id": rule_id}),
        severity=severity,
        priority=priority,
        cluster=cluster,
        namespace=namespace,
        service=service,
        phase=phase,
        incident_key=incident_key(rule_uid, cluster, namespace, service, phase),
        raw=raw,
        title=title_of(name, state_reason),
        summary=summary_of(_text(fields, "message")),
        state_reason=state_reason,
        is_test=is_test,
        labels=labels,
        urls={"source": source} if source else {},
    )


def _is_test(rule_name: str, rule_id: str, message: str) -> bool:
    return rule_name == _TEST_RULE_NAME and (rule_id == "0" or message.lower().startswith(_TEST_MESSAGE))


def _text(fields: dict[str, bytes], name: str) -> str:
    """A field as text; the empty string where it is missing, null, an object or a list."""
    return text_of(fields.get(name, b"null")) or ""


def _tags(piece: bytes) -> dict[str, str]:
    if not piece.startswith(b"{"):
        return {}
    texts = {name: text_of(bytes(value)) for name, value in _MEMBERS.decode(piece).items()}
    return {name: text for name, text in texts.items() if text is not None}

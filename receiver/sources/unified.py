"""What Grafana's unified alerting and Alertmanager have in common: Grafana has an Alertmanager inside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from receiver.domain.alert import Alert, AlertStatus, ParsedBody, RejectedAlert
from receiver.domain.key import incident_key
from receiver.sources.base import FieldMapping
from receiver.sources.envelope import Envelope
from receiver.sources.fields import ERROR, NO_DATA, TEST_RULE_UID, first_of, summary_of, title_of, urgency_of
from receiver.sources.fingerprint import fingerprint_of
from receiver.sources.rule_uid import group_uid_of, rule_uid_of
from receiver.sources.times import latest_start, parse_start, parse_time
from receiver.sources.wire_alert import WireAlert, read_alert

_LONGEST_STATE_REASON = 100

_STATUSES = {status.value: status for status in AlertStatus}
_SUMMARIES = ("summary", "description", "message")
_WIRE_STATE_REASON = "grafana_state_reason"
# Alerts about missing data or a failed evaluation get these names from Grafana, and the rule's own in `rulename`.
_REASON_OF_NAME = {"DatasourceNoData": NO_DATA, "DatasourceError": ERROR}

IsTest = Callable[[WireAlert], bool]


class UnifiedReader:
    """Reads the alerts of one body. What is the same for all of them is worked out once.

    `stand_in_prefix` opens the stand-in UID of rules that have none; `is_test` knows the sender's test messages.
    """

    def __init__(
        self,
        envelope: Envelope,
        mapping: FieldMapping,
        received_at: datetime,
        *,
        stand_in_prefix: str,
        is_test: IsTest,
    ) -> None:
        self._envelope = envelope
        self._mapping = mapping
        self._latest_start = latest_start(received_at)
        self._stand_in_prefix = stand_in_prefix
        self._is_test = is_test
        self._group_uid = group_uid_of(envelope.wire.group_labels)
        self._urgency: dict[str, tuple[str, str]] = {}

    def read(self, source: str) -> ParsedBody:
        """All alerts in the body's order. Raises UnintelligibleBody where there is no list of them."""
        alerts = [self._one(bytes(piece)) for piece in self._envelope.listed_alerts()]
        return ParsedBody(source, alerts, self._envelope.truncated())

    def _one(self, piece: bytes) -> Alert | RejectedAlert:
        try:
            raw = piece.decode()
        except UnicodeDecodeError as bad:
            return RejectedAlert(piece.decode(errors="replace"), f"not UTF-8 at its byte {bad.start}")
        wire = read_alert(piece)
        if isinstance(wire, str):
            return RejectedAlert(raw, wire)
        status = _STATUSES.get(wire.status) or _STATUSES.get(wire.status.strip().lower())
        if status is None:
            return RejectedAlert(raw, "status is one that is not known, expected firing or resolved")
        return self._normalised(wire, status, raw)

    def _normalised(self, wire: WireAlert, status: AlertStatus, raw: str) -> Alert:
        mapping, labels, annotations = self._mapping, wire.labels, wire.annotations or {}
        alertname = labels.get("alertname", "")
        reason_by_name = _REASON_OF_NAME.get(alertname, "")
        rule_name = (labels.get("rulename") if reason_by_name else None) or alertname
        state_reason = annotations.get(_WIRE_STATE_REASON) or reason_by_name
        is_test = self._is_test(wire)
        if is_test:
            rule_uid = TEST_RULE_UID
        else:
            rule_uid = rule_uid_of(wire, self._group_uid, self._stand_in_prefix + rule_name)
        cluster = first_of(labels, mapping.cluster)
        namespace = first_of(labels, mapping.namespace)
        service = first_of(labels, mapping.service)
        phase = first_of(labels, mapping.phase)
        severity, priority = self._urgency_of(first_of(labels, mapping.severity))
        return Alert(
            status=status,
            rule_uid=rule_uid,
            alertname=alertname,
            fingerprint=fingerprint_of(wire.fingerprint, labels),
            severity=severity,
            priority=priority,
            cluster=cluster,
            namespace=namespace,
            service=service,
            phase=phase,
            incident_key=incident_key(rule_uid, cluster, namespace, service, phase),
            raw=raw,
            starts_at=parse_start(wire.starts_at, self._latest_start),
            ends_at=parse_time(wire.ends_at),
            title=title_of(rule_name, state_reason),
            summary=summary_of(first_of(annotations, _SUMMARIES)),
            state_reason=state_reason[:_LONGEST_STATE_REASON],
            is_test=is_test,
            labels=labels,
            annotations=annotations,
            urls=_urls(wire, self._envelope.wire.external_url),
        )

    def _urgency_of(self, label: str) -> tuple[str, str]:
        # Worked out once for each label text of the body: the alerts of a group mostly share it.
        urgency = self._urgency.get(label)
        if urgency is None:
            urgency = self._urgency[label] = urgency_of(label, self._mapping)
        return urgency


def _urls(wire: WireAlert, external_url: str | None) -> dict[str, str]:
    urls = {}
    if wire.generator_url:
        urls["source"] = wire.generator_url
    if wire.dashboard_url:
        urls["dashboard"] = wire.dashboard_url
    if wire.panel_url:
        urls["panel"] = wire.panel_url
    if wire.silence_url:
        urls["silence"] = wire.silence_url
    elif external_url:
        urls["alertmanager"] = external_url
    return urls

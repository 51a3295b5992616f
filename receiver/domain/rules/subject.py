"""Alerts and incidents as rules see them."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.domain.alert import Alert
from receiver.domain.events import EventType
from receiver.domain.incident import Status
from receiver.domain.rules.matcher import Subject

_PLACE = ("rule_uid", "cluster", "namespace", "service", "phase")
# An event is looked at as the incident was when it happened, though more may have happened in the same transaction.
_STATUS_AT: Mapping[EventType, str] = {
    EventType.INCIDENT_OPENED: Status.ACTIVE.value,
    EventType.INCIDENT_ACKNOWLEDGED: Status.ACKNOWLEDGED.value,
    EventType.INCIDENT_RESOLVED: Status.RESOLVED.value,
}


def subject_of_alert(alert: Alert, source: str) -> Subject:
    """A raised alert, with all fields but the status."""
    fields = {name: getattr(alert, name) for name in _PLACE}
    fields |= {
        "priority": alert.priority,
        "severity": alert.severity,
        "alertname": alert.alertname,
        "source": source,
    }
    return Subject(fields, alert.labels)


def subject_of_incident(
    event: EventType,
    *,
    status: str,
    severity: str,
    priority: str,
    details: Mapping[str, object],
    labels: Mapping[str, str],
) -> Subject:
    """An incident at one of its events, with all fields but the source.

    `details` holds its rule and place, `labels` are those of the alert that opened it; both may be empty where no rule
    asks for them.
    """
    fields = {name: str(details.get(name) or "") for name in _PLACE}
    fields |= {"status": _STATUS_AT.get(event, status), "severity": severity, "priority": priority}
    fields["alertname"] = labels.get("alertname", "")
    return Subject(fields, labels)

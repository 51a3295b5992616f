"""Alerts and incidents as rules see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from receiver.domain.alert import Alert
from receiver.domain.events import EventType
from receiver.domain.incident import Mitigation, Status
from receiver.domain.rules.fields import ACTION_EVENTS, DIAGNOSED_EVENTS, DIAGNOSTICS_PREFIX
from receiver.domain.rules.matcher import Subject

_PLACE = ("rule_uid", "cluster", "namespace", "service", "phase")
# An event is looked at as the incident was when it happened, though more may have happened in the same transaction.
_STATUS_AT: Mapping[EventType, str] = {
    EventType.INCIDENT_OPENED: Status.ACTIVE.value,
    EventType.INCIDENT_ACKNOWLEDGED: Status.ACKNOWLEDGED.value,
    EventType.INCIDENT_RESOLVED: Status.RESOLVED.value,
}
# What an event says of itself, by the event's kind.
_TOLD: Mapping[EventType, tuple[str, ...]] = {
    **dict.fromkeys(ACTION_EVENTS, ("action", "target", "outcome", "refusal", "rule")),
    EventType.DIAGNOSTICS_COMPLETED: ("diagnosis",),
    EventType.NOTIFICATION_FAILED: ("channel", "template"),
}
_OUTCOME_AT: Mapping[EventType, str] = {
    EventType.ACTION_REQUESTED: "requested",
    EventType.ACTION_COMPLETED: "completed",
    EventType.ACTION_FAILED: "failed",
    EventType.ACTION_REJECTED: "refused",
}
_NOTHING: Mapping[str, object] = {}
# A diagnosis is ours, but what it found is not: no answer may make a subject as large as it likes.
_MOST_RESULTS = 2000


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
    payload: Mapping[str, object] = _NOTHING,
) -> Subject:
    """An incident at one of its events, with all fields but the source.

    `details` holds its rule and place, its mitigation and diagnostics, `labels` are those of the alert that opened it;
    both may be empty where no rule asks for them. `payload` is the event's own.
    """
    fields = {name: str(details.get(name) or "") for name in _PLACE}
    fields |= {"status": _STATUS_AT.get(event, status), "severity": severity, "priority": priority}
    fields["alertname"] = labels.get("alertname", "")
    fields["mitigation"] = str(details.get("mitigation") or Mitigation.NONE.value)
    for name in _TOLD.get(event, ()):
        fields[name] = str(payload.get(name) or "")
    if event in ACTION_EVENTS and not fields["outcome"]:
        fields["outcome"] = _OUTCOME_AT[event]
    if event in DIAGNOSED_EVENTS:
        fields |= _results(details.get("diagnostics"))
    return Subject(fields, labels)


def _results(diagnostics: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in _leaves(diagnostics, DIAGNOSTICS_PREFIX):
        if len(found) == _MOST_RESULTS:
            break
        found[path] = value
    return found


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for name, one in value.items():
                yield from _leaves(one, f"{path}{name}.")
        case list():
            for position, one in enumerate(value):
                yield from _leaves(one, f"{path}{position}.")
        case bool():
            yield path[:-1], "true" if value else "false"
        case str() | int() | float():
            yield path[:-1], str(value)

"""What the receiver should have made of the alerts that it stored: an independent model, folded over them in order.

Written from the table "Decisions on an alert" in docs/architecture.md; it shares no code with the receiver. It knows
the alerts that the fault suite sends: Alertmanager's, with a start, a `rule_uid` label and a place. Nobody resolves by
hand, and no rule ignores an alert.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any


@dataclass(slots=True, eq=False)
class Incident:
    """An incident as it should be. `name`: the stored one that its first alert belongs to."""

    key: str
    name: str = ""
    alerts: int = 0
    firing: set[str] = field(default_factory=set)
    is_over: bool = False


@dataclass(slots=True)
class _Member:
    """The latest episode of one fingerprint."""

    starts_at: str
    is_over: bool
    incident: Incident | None


@dataclass(slots=True)
class Model:
    """Alerts go in one after the other; what became of each comes out, and the incidents stay."""

    incidents: list[Incident] = field(default_factory=list)
    _open: dict[str, Incident] = field(default_factory=dict)
    _members: dict[tuple[str, str], _Member] = field(default_factory=dict)

    def admit(self, alert: dict[str, Any]) -> tuple[str, Incident | None]:
        """The disposition, and the incident that the alert belongs to now."""
        key = key_of(alert["labels"])
        name = key, alert["fingerprint"]
        start = alert["startsAt"]  # all of one form, so that texts compare as times do
        if alert["status"] == "firing":
            disposition, incident = self._firing(key, name, start)
        else:
            disposition, incident = self._resolved(key, name, start)
        if incident is not None:
            incident.alerts += 1
        return disposition, incident

    def _firing(self, key: str, name: tuple[str, str], start: str) -> tuple[str, Incident | None]:
        member, incident = self._members.get(name), self._open.get(key)
        if member is not None and start <= member.starts_at:
            return ("late", None) if member.is_over else ("repeated", member.incident)
        disposition = "attached"
        if incident is None:
            disposition = "opened"
            incident = self._open[key] = Incident(key)
            self.incidents.append(incident)
        self._members[name] = _Member(start, False, incident)
        incident.firing.add(name[1])
        return disposition, incident

    def _resolved(self, key: str, name: tuple[str, str], start: str) -> tuple[str, Incident | None]:
        member = self._members.get(name)
        if member is not None and member.is_over and start == member.starts_at:
            return "repeated", None
        if member is None or member.is_over or start < member.starts_at:
            if member is None or start > member.starts_at:
                # Kept in mind: should its firing still come, that is late.
                self._members[name] = _Member(start, True, None)
            return "orphan", None
        incident = member.incident
        member.is_over, member.starts_at = True, start
        assert incident is not None
        incident.firing.discard(name[1])
        if not incident.firing:
            incident.is_over = True
            del self._open[key]
        return "resolved", incident


def key_of(labels: dict[str, str]) -> str:
    """The incident key: docs/architecture.md, Words."""
    return _key(labels["rule_uid"], labels["cluster"], labels["namespace"], labels["service"])


@cache
def _key(*parts: str) -> str:
    return hashlib.sha256("|".join((*parts, "")).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One row of grafana_alerts, as far as it is compared."""

    alert_id: str
    delivery_id: str
    disposition: str
    incident_id: str | None
    incident_key: str | None


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """One row of incidents, as far as it is compared."""

    incident_id: str
    incident_key: str
    status: str
    alert_count: int
    firing_count: int


@dataclass(slots=True)
class Comparison:
    """Compares what is stored with what the model makes of it, row by row, in the order in which they were stored."""

    found: list[str] = field(default_factory=list)
    _model: Model = field(default_factory=Model)
    _names: dict[str, Incident] = field(default_factory=dict)  # by stored incident

    def add(self, row: StoredAlert, alert: dict[str, Any] | None) -> None:
        """The next row, and what stands in its delivery's body at its place."""
        if alert is None:
            self.found.append(f"alert {row.alert_id}: its delivery's body has no such alert")
            return
        disposition, incident = self._model.admit(alert)
        if disposition != row.disposition:
            self.found.append(f"alert {row.alert_id}: {row.disposition}, should be {disposition}")
        if (incident is None) != (row.incident_id is None):
            self.found.append(f"alert {row.alert_id}: incident {row.incident_id}, should be {incident}")
        elif incident is not None:
            incident.name = incident.name or str(row.incident_id)
            named = self._names.setdefault(incident.name, incident)
            if (incident.name, named) != (row.incident_id, incident):
                self.found.append(
                    f"alert {row.alert_id}: incident {row.incident_id}, should be {incident.name}"
                )
        if row.incident_key != key_of(alert["labels"]):
            self.found.append(f"alert {row.alert_id}: incident key {row.incident_key}")

    def lack(self, delivery_id: str, missing: int) -> None:
        """So many alerts of a delivery's body have no row."""
        self.found.append(f"delivery {delivery_id}: {missing} alerts of its body have no row")

    def end(self, stored: Sequence[StoredIncident]) -> list[str]:
        """Where the stored state is not what the model says; empty when all is as it should be."""
        return self.found + _compare(self._names, self._model, stored)


def differences(
    bodies: dict[str, bytes], rows: Iterable[StoredAlert], stored: Sequence[StoredIncident]
) -> list[str]:
    """The same for a few alerts at once; `bodies` by delivery. Rows are taken in the order of their ids."""
    comparison = Comparison()
    alerts = {delivery_id: iter(alerts_of(body)) for delivery_id, body in bodies.items()}
    for row in sorted(rows, key=lambda row: row.alert_id):
        comparison.add(row, next(alerts[row.delivery_id], None))
    for delivery_id, left in alerts.items():
        if (missing := len(list(left))) > 0:
            comparison.lack(delivery_id, missing)
    return comparison.end(stored)


def alerts_of(body: bytes) -> list[dict[str, Any]]:
    """The alerts in a body; none where it is not JSON, or has no list of them."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return []
    alerts = read.get("alerts") if isinstance(read, dict) else None
    return alerts if isinstance(alerts, list) else []


def _compare(names: dict[str, Incident], model: Model, stored: Sequence[StoredIncident]) -> list[str]:
    found = []
    if len(stored) != len(model.incidents):
        found.append(f"{len(stored)} incidents, should be {len(model.incidents)}")
    for row in stored:
        wanted = names.get(row.incident_id)
        if wanted is None:
            found.append(f"incident {row.incident_id}: no alert opened it")
            continue
        here = (row.incident_key, row.status == "resolved", row.alert_count, row.firing_count)
        there = (wanted.key, wanted.is_over, wanted.alerts, len(wanted.firing))
        if here != there:
            found.append(f"incident {row.incident_id}: (key, over, alerts, firing) {here}, should be {there}")
    return found

"""`receiver rules replay`: what sets of rules would have made of the stored alerts. Reads only, changes nothing.

The same ledger that decides on alerts as they come decides on them once more, from empty books. What people did in the
meantime is not played, nor what came of actions: an incident ends with its last alert only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine, RowMapping

from receiver.domain.alert import Alert, AlertStatus, Disposition
from receiver.domain.announcement import Announcement, job_key
from receiver.domain.events import Event
from receiver.domain.ledger import Admission, Ledger, Occasion
from receiver.domain.rules.effects import (
    DiagnoseEffect,
    Effect,
    EscalateEffect,
    NotifyEffect,
    RunEffect,
)
from receiver.domain.rules.evaluate import effects, is_news, triage
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import Audience, RuleSet
from receiver.domain.rules.render import view_of
from receiver.domain.rules.subject import subject_of_incident
from receiver.domain.triage import Triage
from receiver.errors import RenderFailed
from receiver.ids import first_ulid
from receiver.sources.base import FieldMapping
from receiver.sources.fields import first_of, urgency_of
from receiver.storage.alert_history import alerts_from

# What ignores an alert because of its priority, where no rule does.
PRIORITIES_ENTRY = "incidents.priorities"
_NEVER_JUDGED = (Disposition.TEST.value, Disposition.REJECTED.value)


@dataclass(slots=True)
class Tally:
    """What one set of rules made of the alerts. The counters by rule are keyed by the rules' names."""

    ignored: int = 0
    incidents: Counter[str] = field(default_factory=Counter)  # by priority
    notifications: Counter[str] = field(default_factory=Counter)  # by channel
    ignored_by: Counter[str] = field(default_factory=Counter)
    priority_by: Counter[str] = field(default_factory=Counter)
    notified_by: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)  # by the action's name
    refused: Counter[str] = field(default_factory=Counter)  # of these, those that lack a label they need
    actions_by: Counter[str] = field(default_factory=Counter)
    diagnoses: Counter[str] = field(default_factory=Counter)  # by the diagnosis's name
    diagnoses_by: Counter[str] = field(default_factory=Counter)
    escalations: Counter[str] = field(default_factory=Counter)  # by the policy's name
    escalations_by: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Replay:
    """How many alerts there were, and a tally for each set of rules, in the order given."""

    alerts: int
    tallies: Sequence[Tally]


def replay(
    engine: Engine,
    sets: Sequence[RuleSet],
    since: datetime,
    *,
    mapping: FieldMapping,
    audience: Audience,
    resolve_holds: timedelta,
) -> Replay:
    """Play all alerts received since then, an aware time, to each of `sets`."""
    players = [_Player(rules, audience, resolve_holds) for rules in sets]
    alerts = 0
    for row in alerts_from(engine, first_ulid(since)):
        alerts += 1
        if row["disposition"] in _NEVER_JUDGED:
            continue
        alert = _alert(row, mapping)
        for player in players:
            player.hear(alert, Occasion(row["alert_id"], row["source"], "", row["received_at"]))
    return Replay(alerts, [player.tally for player in players])


class _Player:
    """One set of rules, with books of its own."""

    def __init__(self, rules: RuleSet, audience: Audience, resolve_holds: timedelta) -> None:
        self.tally = Tally()
        self._rules = rules
        self._audience = audience
        self._opened = 0
        self._heard: set[str] = set()
        self._ledger = Ledger({}, {}, self._name, resolve_holds, self._judge)

    def hear(self, alert: Alert, occasion: Occasion) -> None:
        """Decide on one alert."""
        admission = self._ledger.admit(alert, occasion)
        if admission.disposition is Disposition.IGNORED:
            self.tally.ignored += 1
        elif admission.disposition is Disposition.OPENED and admission.incident is not None:
            self.tally.incidents[admission.incident.priority] += 1
        self._tell(admission)
        # The books are kept, what would be written is not.
        self._ledger.events.clear()
        self._ledger.opened.clear()
        self._ledger.ended.clear()

    def _judge(self, alert: Alert, source: str) -> Triage:
        verdict = triage(self._rules, alert, source)
        if verdict.is_ignored:
            self.tally.ignored_by[verdict.rule or PRIORITIES_ENTRY] += 1
        elif verdict.rule:
            self.tally.priority_by[verdict.rule] += 1
        return verdict

    def _tell(self, admission: Admission) -> None:
        incident = admission.incident
        if incident is None or incident.opened_by is None:
            return
        opener = incident.opened_by
        for event in filter(is_news, self._ledger.events):
            subject = subject_of_incident(
                event.type,
                status=str(incident.status),
                severity=incident.severity,
                priority=incident.priority,
                details=_place(opener),
                labels=opener.labels,
            )
            for effect in effects(self._rules, event.type, subject, self._audience):
                self._count(incident.incident_id, event, effect, subject)

    def _count(self, incident_id: str, event: Event, effect: Effect, subject: Subject) -> None:
        """Note what would be asked for, if it has not been asked for already."""
        tally = self.tally
        match effect:
            case NotifyEffect():
                if self._is_new(job_key(incident_id, Announcement(effect.channel, effect.template))):
                    tally.notifications[effect.channel] += 1
                    tally.notified_by[effect.rule] += 1
            case RunEffect():
                if self._is_new(f"run:{incident_id}:{effect.rule}:{event.type}"):
                    tally.actions[effect.spec.action] += 1
                    tally.refused[effect.spec.action] += _lacks(effect, subject)
                    tally.actions_by[effect.rule] += 1
            case DiagnoseEffect():
                if self._is_new(f"diagnose:{incident_id}:{effect.diagnosis}:{event.type}"):
                    tally.diagnoses[effect.diagnosis] += 1
                    tally.diagnoses_by[effect.rule] += 1
            case EscalateEffect():
                if self._is_new(f"escalate:{incident_id}:{effect.policy}"):
                    tally.escalations[effect.policy] += 1
                    tally.escalations_by[effect.rule] += 1

    def _is_new(self, key: str) -> bool:
        if key in self._heard:
            return False
        self._heard.add(key)
        return True

    def _name(self, opened_at: datetime, key: str) -> str:
        self._opened += 1
        return str(self._opened)


def _lacks(effect: RunEffect, subject: Subject) -> bool:
    """Whether the alert lacks what the texts of the action name."""
    try:
        effect.spec.rendered(view_of(subject, "INC-0"))
    except RenderFailed:
        return True
    return False


def _place(alert: Alert) -> Mapping[str, object]:
    return {
        "rule_uid": alert.rule_uid,
        "cluster": alert.cluster,
        "namespace": alert.namespace,
        "service": alert.service,
        "phase": alert.phase,
    }


def _alert(row: RowMapping, mapping: FieldMapping) -> Alert:
    """The alert as it was understood when it came, but for its priority, which the table of today gives."""
    _, priority = urgency_of(first_of(row["labels"], mapping.severity), mapping)
    return Alert(
        status=AlertStatus(row["status"]),
        rule_uid=row["rule_uid"],
        alertname=row["alertname"],
        fingerprint=row["fingerprint"],
        severity=row["severity"],
        priority=priority,
        cluster=row["cluster"],
        namespace=row["namespace"],
        service=row["service"],
        phase=row["phase"],
        incident_key=row["incident_key"],
        raw="",
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        labels=row["labels"],
    )

"""Which alert opens, joins, repeats or ends what: the heart of deduplication, without any I/O.

A Ledger is filled with the open incidents and the episodes that a batch of deliveries touches, then `admit` is called
for each alert in order of arrival. It returns the alert's disposition and collects what has to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from receiver.domain.alert import Alert, AlertStatus, Disposition
from receiver.domain.events import Event, EventType
from receiver.domain.incident import Status
from receiver.domain.key import episode_key
from receiver.domain.severity import more_urgent, worse_severity
from receiver.domain.triage import Judge, Triage, admit_everything


@dataclass(slots=True)
class IncidentState:
    """What the ledger needs to know of an incident, and changes. `alert_count` includes what this batch adds."""

    incident_id: str
    incident_key: str
    status: str
    severity: str
    priority: str
    alert_count: int
    firing_count: int
    number: int | None = None
    opened_by: Alert | None = None  # set while the incident is not in the database yet
    opened_at: datetime | None = None
    last_seen_at: datetime | None = None
    resolved_at: datetime | None = None
    trace_id: str = ""
    links: dict[str, str] = field(default_factory=dict)
    changed: bool = False

    @property
    def is_new(self) -> bool:
        """Whether this batch opened it."""
        return self.opened_by is not None


class EndedBy(StrEnum):
    """Who ended an episode."""

    SENDER = "sender"
    PERSON = "person"


@dataclass(slots=True)
class Episode:
    """The current episode of one member: from one firing of a fingerprint to its end."""

    episode_key: str
    incident_key: str
    source: str
    fingerprint: str
    status: str
    starts_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    incident_id: str | None = None
    stored: bool = True  # a row exists, and this transaction holds its lock
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Occasion:
    """In which delivery an alert came."""

    alert_id: str
    source: str
    trace_id: str
    received_at: datetime


@dataclass(slots=True)
class Admission:
    """What became of one alert, of which incident it is a row now (None: of none), and why, where the rules decided."""

    disposition: Disposition
    incident: IncidentState | None = None
    reason: str | None = None


@dataclass(slots=True)
class Ledger:
    """Open incidents by incident key, episodes by episode key; and what the admitted alerts changed."""

    incidents: dict[str, IncidentState]
    episodes: dict[str, Episode]
    name_incident: Callable[[datetime, str], str]
    resolve_holds: timedelta  # how long a person's resolve stands against an alert that keeps firing
    judge: Judge = (
        admit_everything  # asked of alerts that would open an incident or join one as a new episode
    )
    events: list[Event] = field(default_factory=list)
    opened: list[IncidentState] = field(default_factory=list)
    ended: list[IncidentState] = field(default_factory=list)

    def admit(self, alert: Alert, occasion: Occasion) -> Admission:
        """Decide on one alert, in the order of arrival."""
        if alert.is_test:
            return Admission(Disposition.TEST)
        key = episode_key(alert.incident_key, occasion.source, alert.fingerprint)
        episode = self.episodes.get(key)
        incident = self.incidents.get(alert.incident_key)
        if alert.status is AlertStatus.FIRING:
            admission = self._firing(alert, occasion, key, episode, incident)
        else:
            admission = self._resolved(alert, occasion, key, episode, incident)
        if admission.incident is not None:
            admission.incident.alert_count += 1
            admission.incident.last_seen_at = occasion.received_at
        return admission

    def _firing(
        self,
        alert: Alert,
        occasion: Occasion,
        key: str,
        episode: Episode | None,
        incident: IncidentState | None,
    ) -> Admission:
        if (
            episode is not None
            and not _is_new_firing(alert, episode)
            and not self._outlived(episode, occasion)
        ):
            if episode.status == AlertStatus.RESOLVED:
                return Admission(Disposition.LATE)
            if incident is not None and episode.incident_id == incident.incident_id:
                _touch(episode, occasion)
                return Admission(Disposition.REPEATED, incident)
            # Its incident is over but the episode is not: that cannot happen (resolving ends episodes), and if it
            # does, an alert that fires must have an incident.
        verdict = self.judge(alert, occasion.source)
        if verdict.is_ignored:
            # No episode is written: its repeats are judged again, so new rules hold for an alert that goes on firing.
            return Admission(Disposition.IGNORED, reason=verdict.reason)
        was_firing = (
            episode is not None
            and episode.status == AlertStatus.FIRING
            and incident is not None
            and episode.incident_id == incident.incident_id
        )
        disposition = Disposition.OPENED if incident is None else Disposition.ATTACHED
        if incident is None:
            incident = self._open(alert, occasion, verdict)
        self._start_episode(alert, occasion, key, episode, incident)
        because = {"rule": verdict.rule} if verdict.rule else {}
        self._event(
            EventType.ALERT_RAISED, occasion, incident, alert, disposition=disposition.value, **because
        )
        if disposition is Disposition.OPENED:
            shown = _shown(incident, alert) | because
            self._event(EventType.INCIDENT_OPENED, occasion, incident, alert, **shown)
        else:
            self._worsen(incident, alert, occasion, verdict)
        if not was_firing:
            incident.firing_count += 1
            incident.changed = True
        return Admission(disposition, incident)

    def _outlived(self, episode: Episode, occasion: Occasion) -> bool:
        """Whether a person ended the episode, but the alert has gone on firing for longer than that may hold."""
        if episode.ended_by != EndedBy.PERSON or episode.ended_at is None:
            return False
        return occasion.received_at - episode.ended_at > self.resolve_holds

    def _resolved(
        self,
        alert: Alert,
        occasion: Occasion,
        key: str,
        episode: Episode | None,
        incident: IncidentState | None,
    ) -> Admission:
        if episode is not None and episode.status == AlertStatus.RESOLVED and _same_start(alert, episode):
            _touch(episode, occasion)
            episode.ended_by = EndedBy.SENDER  # a person said so before, and now the sender agrees
            return Admission(Disposition.REPEATED)
        if episode is None or episode.status == AlertStatus.RESOLVED or _is_older(alert, episode):
            if episode is None or (alert.starts_at is not None and alert.starts_at > episode.starts_at):
                verdict = self.judge(alert, occasion.source)
                if verdict.is_ignored:  # as its firing was, or would have been
                    return Admission(Disposition.IGNORED, reason=verdict.reason)
                # Remembered, so that its firing is known to be late should it still come.
                self._start_episode(alert, occasion, key, episode, None)
            return Admission(Disposition.ORPHAN)
        self._end_episode(alert, occasion, episode)
        if incident is None or episode.incident_id != incident.incident_id:
            return Admission(Disposition.ORPHAN)
        incident.firing_count = max(0, incident.firing_count - 1)
        incident.changed = True
        self._event(EventType.ALERT_RESOLVED, occasion, incident, alert)
        if incident.firing_count == 0:
            self._resolve(incident, alert, occasion)
        return Admission(Disposition.RESOLVED, incident)

    def _open(self, alert: Alert, occasion: Occasion, verdict: Triage) -> IncidentState:
        incident = IncidentState(
            incident_id=self.name_incident(occasion.received_at, alert.incident_key),
            incident_key=alert.incident_key,
            status=Status.ACTIVE,
            severity=alert.severity,
            priority=verdict.priority or alert.priority,
            alert_count=0,
            firing_count=0,
            opened_by=alert,
            opened_at=occasion.received_at,
            trace_id=occasion.trace_id,
        )
        self.incidents[alert.incident_key] = incident
        self.opened.append(incident)
        return incident

    def _worsen(self, incident: IncidentState, alert: Alert, occasion: Occasion, verdict: Triage) -> None:
        """An incident takes on its worst member's severity and priority, and keeps them."""
        severity = worse_severity(incident.severity, alert.severity)
        priority = more_urgent(incident.priority, verdict.priority or alert.priority)
        if (severity, priority) == (incident.severity, incident.priority):
            return
        changes = {"severity": [incident.severity, severity], "priority": [incident.priority, priority]}
        changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
        because = {"rule": verdict.rule} if verdict.rule and "priority" in changes else {}
        incident.severity, incident.priority, incident.changed = severity, priority, True
        self._event(EventType.INCIDENT_UPDATED, occasion, incident, alert, changes=changes, **because)

    def _resolve(self, incident: IncidentState, alert: Alert, occasion: Occasion) -> None:
        incident.status, incident.resolved_at = Status.RESOLVED, occasion.received_at
        del self.incidents[incident.incident_key]  # a later firing opens a new one
        self.ended.append(incident)
        reason = "the last firing alert resolved"
        if alert.state_reason:
            reason += f" ({alert.state_reason})"
        self._event(EventType.INCIDENT_RESOLVED, occasion, incident, alert, reason=reason)

    def _start_episode(
        self,
        alert: Alert,
        occasion: Occasion,
        key: str,
        before: Episode | None,
        incident: IncidentState | None,
    ) -> None:
        over = alert.status is AlertStatus.RESOLVED
        self.episodes[key] = Episode(
            episode_key=key,
            incident_key=alert.incident_key,
            source=occasion.source,
            fingerprint=alert.fingerprint,
            status=alert.status,
            starts_at=alert.starts_at or occasion.received_at,
            last_seen_at=occasion.received_at,
            ended_at=(alert.ends_at or occasion.received_at) if over else None,
            ended_by=EndedBy.SENDER if over else None,
            incident_id=incident.incident_id if incident else None,
            stored=before is not None and before.stored,
            changed=True,
        )

    def _end_episode(self, alert: Alert, occasion: Occasion, episode: Episode) -> None:
        episode.status = AlertStatus.RESOLVED
        episode.ended_at, episode.ended_by = alert.ends_at or occasion.received_at, EndedBy.SENDER
        if alert.starts_at is not None:
            episode.starts_at = max(episode.starts_at, alert.starts_at)
        _touch(episode, occasion)

    def _event(
        self, type_: EventType, occasion: Occasion, incident: IncidentState, alert: Alert, **payload: object
    ) -> None:
        is_about_alert = type_ in (EventType.ALERT_RAISED, EventType.ALERT_RESOLVED)
        if is_about_alert:
            payload = {"fingerprint": alert.fingerprint, "alertname": alert.alertname, **payload}
        self.events.append(
            Event(
                type=type_,
                created_at=occasion.received_at,
                actor=occasion.source,
                trace_id=occasion.trace_id,
                incident_id=incident.incident_id,
                alert_id=occasion.alert_id,
                payload=payload,
            )
        )

    def touched(self) -> Iterable[IncidentState]:
        """Incidents that were in the database already and must be written again."""
        return (state for state in self.by_id().values() if state.changed and not state.is_new)

    def by_id(self) -> dict[str, IncidentState]:
        """All incidents that were open before or came to be, by their ids."""
        known = (*self.opened, *self.ended, *self.incidents.values())
        return {state.incident_id: state for state in known}


def _is_new_firing(alert: Alert, episode: Episode) -> bool:
    """Whether a firing alert begins a new episode rather than saying again what is known."""
    if alert.starts_at is None:
        # A sender that gives no start: firing after a resolve is new, firing after firing is a repeat.
        return episode.status == AlertStatus.RESOLVED
    return alert.starts_at > episode.starts_at


def _same_start(alert: Alert, episode: Episode) -> bool:
    return alert.starts_at is None or alert.starts_at == episode.starts_at


def _is_older(alert: Alert, episode: Episode) -> bool:
    """Whether a resolved alert ends an episode that a newer one has replaced already."""
    return alert.starts_at is not None and alert.starts_at < episode.starts_at


def _touch(episode: Episode, occasion: Occasion) -> None:
    episode.last_seen_at = occasion.received_at
    episode.changed = True


def _shown(incident: IncidentState, alert: Alert) -> dict[str, str]:
    return {
        "title": alert.title,
        "severity": incident.severity,
        "priority": incident.priority,
        "incident_key": incident.incident_key,
    }

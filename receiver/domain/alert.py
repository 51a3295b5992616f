"""An alert as every source delivers it, whatever its wire format was."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AlertStatus(StrEnum):
    """What the sender says of the alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Disposition(StrEnum):
    """What became of one received alert. Each alert of each delivery gets exactly one (invariant I4)."""

    OPENED = "opened"  # it opened an incident
    ATTACHED = "attached"  # a new episode that joined the open incident
    REPEATED = "repeated"  # the sender says again what is known already
    RESOLVED = "resolved"  # it ended its episode
    LATE = "late"  # firing of an episode that is already over: never reopens
    ORPHAN = "orphan"  # resolved, with nothing open that it could end
    SUPPRESSED = "suppressed"  # a maintenance window covers it
    IGNORED = "ignored"  # the rules want no incident for it
    TEST = "test"  # Grafana's Test button
    REJECTED = "rejected"  # malformed, inside an envelope that is otherwise good


@dataclass(slots=True)
class Alert:
    """One alert, normalised. `raw` is its own JSON text as it stood in the body; times are aware and in UTC.

    `starts_at` is None where the sender gives none, or one that cannot be true. `urls` holds addresses as they were
    sent, unchecked, by kind (source, dashboard, panel, silence, alertmanager): people are shown only what
    `sources.links.links_of` makes of them.
    """

    status: AlertStatus
    rule_uid: str
    alertname: str
    fingerprint: str
    severity: str
    priority: str
    cluster: str
    namespace: str
    service: str
    phase: str
    incident_key: str
    raw: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    title: str = ""
    summary: str = ""
    state_reason: str = ""
    is_test: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RejectedAlert:
    """An alert that cannot be understood, kept with the `reason`; its neighbours are not touched."""

    raw: str
    reason: str


@dataclass(slots=True)
class ParsedBody:
    """What a source made of one webhook body. `truncated` is how many alerts the sender says it cut off."""

    source: str
    alerts: list[Alert | RejectedAlert]
    truncated: int = 0

"""Events: how state changes are told. The same row is the incident's timeline and the outbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """The fixed names; they are also the topics on a broker."""

    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_UPDATED = "incident.updated"
    INCIDENT_ACKNOWLEDGED = "incident.acknowledged"
    INCIDENT_RESOLVED = "incident.resolved"
    INCIDENT_CLOSED = "incident.closed"
    DIAGNOSTICS_COMPLETED = "diagnostics.completed"
    ACTION_REQUESTED = "action.requested"
    ACTION_APPROVED = "action.approved"
    ACTION_REJECTED = "action.rejected"
    ACTION_COMPLETED = "action.completed"
    ACTION_FAILED = "action.failed"
    NOTIFICATION_REQUESTED = "notification.requested"
    NOTIFICATION_DELIVERED = "notification.delivered"
    NOTIFICATION_FAILED = "notification.failed"


@dataclass(slots=True)
class Event:
    """One state change: what, of which incident, by whom (`actor`), when, in which trace."""

    type: EventType
    created_at: datetime
    actor: str
    trace_id: str
    incident_id: str | None = None
    alert_id: str | None = None
    action_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)

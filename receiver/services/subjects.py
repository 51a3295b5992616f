"""Incidents as rules see them, from what this transaction knows of them; and from the database, where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from receiver.domain.events import Event
from receiver.domain.ledger import IncidentState
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.subject import subject_of_alert, subject_of_incident
from receiver.storage import incidents

SubjectOf = Callable[[Event], Subject]

_UNASKED: Mapping[Any, Any] = {"labels": {}}


def subjects_of(
    connection: Connection, rules: RuleSet, told: Sequence[Event], states: Mapping[str, IncidentState]
) -> SubjectOf:
    """From an event of `told` to its incident. Asks the database only for what rules look at and nobody knows yet."""
    unknown = {
        event.incident_id
        for event in told
        if event.incident_id is not None
        and rules.asks_for_details(event.type)
        and not states[event.incident_id].is_new
    }
    details = incidents.details(connection, unknown) if unknown else {}

    def subject_of(event: Event) -> Subject:
        state = states[event.incident_id or ""]
        row: Mapping[Any, Any] = details.get(state.incident_id, _UNASKED)
        if state.opened_by is not None:
            row = {**subject_of_alert(state.opened_by, "").fields, "labels": state.opened_by.labels}
        return subject_of_incident(
            event.type,
            status=str(state.status),
            severity=state.severity,
            priority=state.priority,
            details=row,
            labels=row["labels"],
            payload=event.payload,
        )

    return subject_of


def subject_of_row(event: Event, row: Mapping[Any, Any]) -> Subject:
    """The subject of an event, from the whole row of its incident."""
    return subject_of_incident(
        event.type,
        status=row["status"],
        severity=row["severity"],
        priority=row["priority"],
        details=row,
        labels=row["labels"],
        payload=event.payload,
    )

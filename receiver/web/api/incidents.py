"""/api/v1/incidents: the list, one of them, and what people do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from receiver.domain.incident import OPEN_STATUSES
from receiver.runtime import Runtime
from receiver.services import holds, incident_list, incidents
from receiver.services.incidents import Deed
from receiver.services.remediation import listing
from receiver.storage.incident_queries import IncidentFilter
from receiver.web.api import cursor, schemas
from receiver.web.api.blueprint import ApiBlueprint, principal
from receiver.web.parts import current_parts
from receiver.web.trace import current_trace_id

Body = Mapping[str, Any]

blueprint = ApiBlueprint("incidents", prefix="incidents", description="Problems that people handle.")


@blueprint.reads("", query=schemas.IncidentQuery, answers=schemas.IncidentPage)
def list_incidents(query: Body) -> Any:
    """List incidents

    Newest first. A status of `open` means active and acknowledged.
    """
    after = cursor.read_row("incidents", query["cursor"])
    page = incident_list.find(current_parts().runtime.engine, _filter(query), after, query["limit"])
    last = page.rows[-1] if page.has_more else None
    next_cursor = cursor.after_row("incidents", last["opened_at"], last["incident_id"]) if last else None
    return {"incidents": page.rows, "next_cursor": next_cursor}


@blueprint.reads("/<reference>", answers=schemas.Incident)
def get_incident(reference: str) -> Any:
    """Get one incident

    By its id, or by its number as `INC-123` or `123`.
    """
    engine = current_parts().runtime.engine
    incident = incident_list.one(engine, reference)
    return {
        **incident,
        "held": holds.hold_of(engine, incident["incident_id"]),
        "remediation_actions": listing.of_incident(engine, incident["incident_id"]),
    }


@blueprint.acts("/<reference>/ack", takes=schemas.DeedBody, answers=schemas.Incident)
def acknowledge_incident(body: Body, reference: str) -> Any:
    """Acknowledge an incident

    Somebody has seen it and works on it. Only an active one can be acknowledged (else 409).
    """
    return _do(incidents.acknowledge, reference, body)


@blueprint.acts("/<reference>/resolve", takes=schemas.DeedBody, answers=schemas.Incident)
def resolve_incident(body: Body, reference: str) -> Any:
    """Resolve an incident

    It is over, whatever its alerts still say. Only an open one can be resolved (else 409).
    """
    return _do(incidents.resolve, reference, body)


@blueprint.acts("/<reference>/close", takes=schemas.DeedBody, answers=schemas.Incident)
def close_incident(body: Body, reference: str) -> Any:
    """Close an incident

    Nothing is left to do about it. Only a resolved one can be closed (else 409).
    """
    return _do(incidents.close, reference, body)


@blueprint.acts("/<reference>/assign", takes=schemas.AssignBody, answers=schemas.Incident)
def assign_incident(body: Body, reference: str) -> Any:
    """Give an incident an owner, or none"""
    return incidents.assign(current_parts().runtime, reference, deed_of(body), body["owner"])


@blueprint.acts("/<reference>/hold", takes=schemas.NoteBody, answers=schemas.Incident)
def hold_incident(body: Body, reference: str) -> Any:
    """Hold an incident

    Retention leaves it alone with all that belongs to it, however old, until it is released. The note says why.
    """
    return holds.hold_incident(current_parts().runtime.engine, reference, deed_of(body))


@blueprint.acts("/<reference>/release", takes=schemas.DeedBody, answers=schemas.Incident)
def release_incident(body: Body, reference: str) -> Any:
    """Release an incident

    Retention may remove it when its time comes. One that is not held stays as it is.
    """
    _, incident = holds.release_incident(current_parts().runtime.engine, reference, deed_of(body))
    return incident


def deed_of(body: Body) -> Deed:
    """Who does it: the token's name, or, while the API needs no token, the name that is given."""
    who = principal()
    name = who.name if who.named else body.get("by") or who.name
    return Deed(actor=name, trace_id=current_trace_id(), note=body.get("note", ""))


def _do(deed: Callable[[Runtime, str, Deed], Any], reference: str, body: Body) -> Any:
    return deed(current_parts().runtime, reference, deed_of(body))


def _filter(query: Body) -> IncidentFilter:
    statuses: set[str] = set(query["status"])
    if schemas.OPEN in statuses:
        statuses = statuses - {schemas.OPEN} | set(OPEN_STATUSES)
    return IncidentFilter(
        statuses=sorted(statuses),
        priorities=query["priority"],
        severities=query["severity"],
        services=query["service"],
        clusters=query["cluster"],
        namespaces=query["namespace"],
        owners=query["owner"],
        since=query["since"],
        until=query["until"],
        text=query["q"],
    )

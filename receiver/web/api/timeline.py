"""/api/v1/incidents/{id}/alerts and /timeline: what an incident is made of, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from receiver.services import incident_list, incidents
from receiver.web.api import cursor, schemas
from receiver.web.api.blueprint import ApiBlueprint
from receiver.web.api.incidents import deed_of
from receiver.web.parts import current_parts

blueprint = ApiBlueprint(
    "timeline", prefix="incidents", description="What incidents are made of, and what happened to them."
)


@blueprint.reads("/<reference>/alerts", query=schemas.AlertQuery, answers=schemas.AlertPage)
def list_alerts(query: Mapping[str, Any], reference: str) -> Any:
    """List an incident's alerts

    Newest first, each with what became of it (its disposition).
    """
    after = cursor.read_row("alerts", query["cursor"])
    engine = current_parts().runtime.engine
    page = incident_list.alerts(engine, reference, after, query["limit"], raw=query["raw"])
    last = page.rows[-1] if page.has_more else None
    next_cursor = cursor.after_row("alerts", last["received_at"], last["alert_id"]) if last else None
    return {"alerts": page.rows, "next_cursor": next_cursor}


@blueprint.reads("/<reference>/timeline", query=schemas.PageQuery, answers=schemas.EventPage)
def list_timeline(query: Mapping[str, Any], reference: str) -> Any:
    """List an incident's timeline

    Every state change, in the order in which they happened: what, when, by whom.
    """
    after = cursor.read_event(query["cursor"])
    page = incident_list.timeline(current_parts().runtime.engine, reference, after, query["limit"])
    next_cursor = cursor.after_event(page.rows[-1]["event_id"]) if page.has_more else None
    return {"events": page.rows, "next_cursor": next_cursor}


@blueprint.acts("/<reference>/timeline", takes=schemas.NoteBody, answers=schemas.Incident)
def add_note(body: Mapping[str, Any], reference: str) -> Any:
    """Write a note into an incident's timeline"""
    return incidents.add_note(current_parts().runtime, reference, deed_of(body))

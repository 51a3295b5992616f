"""/api/v1/actions: remediation actions of all incidents, and people's word on those that wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from receiver.domain.action_state import ActionState
from receiver.services.remediation import approvals, listing
from receiver.web.api import action_schemas, cursor, schemas
from receiver.web.api.blueprint import ApiBlueprint
from receiver.web.api.fields import CommaList
from receiver.web.api.incidents import deed_of
from receiver.web.parts import current_parts

blueprint = ApiBlueprint("actions", prefix="actions", description="Remediation actions of all incidents.")


class ActionQuery(schemas.PageQuery):
    """Which actions."""

    state = CommaList(
        fields.String(validate=validate.OneOf([state.value for state in ActionState])),
        load_default=(),
        metadata={"description": "As `awaiting_approval`."},
    )


class ActionPage(ma.Schema):
    """Actions, newest first."""

    actions = fields.List(fields.Nested(action_schemas.Action))
    next_cursor = fields.String(
        allow_none=True, metadata={"description": "For the next page; null on the last one."}
    )


@blueprint.reads("", query=ActionQuery, answers=ActionPage)
def find_actions(query: Mapping[str, Any]) -> Any:
    """List remediation actions

    Newest first; `state=awaiting_approval` for those that wait for a person.
    """
    after = cursor.read_row("actions", query["cursor"])
    page = listing.find(current_parts().runtime.engine, query["state"], after, query["limit"])
    last = page.rows[-1] if page.has_more else None
    next_cursor = cursor.after_row("actions", last["requested_at"], last["action_id"]) if last else None
    return {"actions": page.rows, "next_cursor": next_cursor}


@blueprint.acts("/<action_id>/approve", takes=schemas.DeedBody, answers=action_schemas.Action)
def approve_action(body: Mapping[str, Any], action_id: str) -> Any:
    """Approve a remediation action

    It runs at once, if nothing else stands against it. Only one that waits for approval can be approved (else 409).
    """
    return approvals.approve(current_parts().runtime, action_id, deed_of(body))


@blueprint.acts("/<action_id>/reject", takes=schemas.DeedBody, answers=action_schemas.Action)
def reject_action(body: Mapping[str, Any], action_id: str) -> Any:
    """Reject a remediation action

    It never runs. Only one that waits for approval can be rejected (else 409).
    """
    return approvals.reject(current_parts().runtime, action_id, deed_of(body))

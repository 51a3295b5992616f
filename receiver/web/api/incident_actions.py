"""/api/v1/incidents/{id}/actions: what was done to mend an incident, and people who ask for more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from receiver.domain.rules.run_spec import EXPIRES_AFTER_SECONDS, RunSpec
from receiver.services.remediation import asking, listing
from receiver.web.api import action_schemas, schemas
from receiver.web.api.blueprint import ApiBlueprint
from receiver.web.api.incidents import deed_of
from receiver.web.parts import current_parts

blueprint = ApiBlueprint(
    "incident-actions", prefix="incidents", description="What is done to mend incidents."
)


LONGEST_EXPIRY_SECONDS = 7 * 24 * 3600


class ActionBody(schemas.DeedBody):
    """An action that a person asks for. It is held to the same safety rules as those of rules."""

    action = fields.String(required=True, validate=validate.Length(min=1, max=64))
    target = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    parameters = fields.Dict(keys=fields.String(), load_default=dict)
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Only say what it would do."})
    expires_after_seconds = fields.Float(
        load_default=EXPIRES_AFTER_SECONDS,
        validate=validate.Range(1, LONGEST_EXPIRY_SECONDS),
        metadata={"description": "If it has not begun by then, it does not run any more."},
    )


class ActionList(ma.Schema):
    """The actions of an incident, in the order in which they were asked for."""

    actions = fields.List(fields.Nested(action_schemas.Action))


@blueprint.reads("/<reference>/actions", answers=ActionList)
def list_actions(reference: str) -> Any:
    """List an incident's remediation actions

    In the order in which they were asked for, those that were refused included.
    """
    return {"actions": listing.of_incident(current_parts().runtime.engine, reference)}


@blueprint.acts("/<reference>/actions", takes=ActionBody, answers=action_schemas.Action)
def request_action(body: Mapping[str, Any], reference: str) -> Any:
    """Ask for a remediation action

    A worker carries it out, if the safety rules allow it: see what became of it in the list.
    """
    spec = RunSpec(
        action=body["action"],
        target=body["target"],
        parameters=body["parameters"],
        is_dry_run=body["dry_run"],
        expires_after_seconds=body["expires_after_seconds"],
    )
    return asking.ask(current_parts().runtime, reference, deed_of(body), spec)

"""Remediation actions as the API gives them. Field names are those of the tables."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from receiver.domain.action_state import ActionState, ApprovalState
from receiver.web.api.fields import Moment


class Approval(ma.Schema):
    """What people said to an action that needs their word."""

    state = fields.String(validate=validate.OneOf([state.value for state in ApprovalState]))
    requested_at = Moment()
    expires_at = Moment(allow_none=True)
    decided_at = Moment(allow_none=True)
    decided_by = fields.String(allow_none=True)
    note = fields.String(allow_none=True)


class Action(ma.Schema):
    """A remediation action, from the request to its end."""

    action_id = fields.String()
    incident_id = fields.String()
    ordinal = fields.Integer(metadata={"description": "The how many-th of its incident."})
    type = fields.String(metadata={"description": "The action's name, as `kubernetes.scale`."})
    target = fields.String()
    parameters = fields.Dict(keys=fields.String())
    from_state = fields.Dict(allow_none=True, metadata={"description": "What it met, once it was planned."})
    to_state = fields.Dict(allow_none=True, metadata={"description": "What it makes, or has made, of it."})
    requested_by = fields.String(metadata={"description": "`rule NAME`, or a person."})
    reason = fields.String()
    state = fields.String(validate=validate.OneOf([state.value for state in ActionState]))
    is_dry_run = fields.Boolean()
    attempt = fields.Integer(metadata={"description": "How often it was begun."})
    output = fields.String(allow_none=True, metadata={"description": "What it said; before that, the plan."})
    error = fields.String(allow_none=True, metadata={"description": "Why it did not go well, or not at all."})
    requested_at = Moment()
    expires_at = Moment(allow_none=True, metadata={"description": "Afterwards it does not begin any more."})
    started_at = Moment(allow_none=True)
    finished_at = Moment(allow_none=True)
    trace_id = fields.String()
    approval = fields.Nested(Approval, allow_none=True)

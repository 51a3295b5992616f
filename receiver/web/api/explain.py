"""/api/v1/incidents/{id}/explain: why a channel heard what it heard, and why it did not hear the rest."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields

from receiver.services.explain import explain
from receiver.web.api.blueprint import ApiBlueprint
from receiver.web.api.fields import Moment
from receiver.web.parts import current_parts

blueprint = ApiBlueprint("explain", prefix="incidents", description="Why who was told what.")


def _sentence() -> fields.String:
    return fields.String(metadata={"description": "For people. Its wording may change."})


class ExplainedMessage(ma.Schema):
    """A message that was asked for, and what became of it."""

    channel = fields.String()
    template = fields.String(metadata={"description": "The occasion."})
    sequence = fields.Integer()
    rule = fields.String(
        allow_none=True, metadata={"description": "What asked for it; null: it follows from another message."}
    )
    quiet = fields.Boolean()
    outcome = fields.String(
        metadata={
            "description": "sent, dead, superseded, bundled, waiting, retrying, running, done or unknown."
        }
    )
    sentence = _sentence()
    asked_at = Moment()
    finished_at = Moment(allow_none=True)
    idempotency_key = fields.String()
    bundle = fields.String(allow_none=True, metadata={"description": "The key of the bundle that tells it."})
    job_id = fields.Integer(metadata={"description": "The job that sends it, or its bundle."})
    job_state = fields.String()
    attempts = fields.Integer()
    max_attempts = fields.Integer()
    last_error = fields.String(allow_none=True)
    answer = fields.String(
        allow_none=True, metadata={"description": "What the channel answered, or why not sent."}
    )
    next_attempt_at = Moment(allow_none=True)
    limit = _sentence()


class ExplainedReason(ma.Schema):
    """A rule that names the channel, and why it asked for no message."""

    event = fields.String()
    rule = fields.String()
    sentence = _sentence()


class SilentChannel(ma.Schema):
    """A channel that was not asked to tell of the incident."""

    channel = fields.String()
    sentence = _sentence()
    reasons = fields.List(fields.Nested(ExplainedReason))


class ExplainedStep(ma.Schema):
    """A step of an escalation."""

    policy = fields.String()
    rule = fields.String(allow_none=True)
    cause = fields.String(metadata={"description": "opened, timed-out, or the id of an action."})
    round = fields.Integer()
    step = fields.Integer()
    steps = fields.Integer()
    job_id = fields.Integer()
    job_state = fields.String()
    at = Moment()
    sentence = _sentence()


class ExplainedRule(ma.Schema):
    """What a rule says to an event of the incident, by the rules of now."""

    event = fields.String()
    at = Moment()
    rule = fields.String()
    applies = fields.Boolean()
    sentence = _sentence()


class Explanation(ma.Schema):
    """Why who was told what."""

    incident_id = fields.String()
    number = fields.Integer()
    status = fields.String()
    mitigation = fields.String()
    notifications = fields.List(fields.Nested(ExplainedMessage))
    silent_channels = fields.List(fields.Nested(SilentChannel))
    escalations = fields.List(fields.Nested(ExplainedStep))
    rules = fields.List(fields.Nested(ExplainedRule))


@blueprint.reads("/<reference>/explain", answers=Explanation)
def explain_incident(reference: str) -> Any:
    """Explain an incident's messages

    For each message: which rule asked for it, whether it was limited or bundled, its attempts, the last answer, and
    when it is tried next. For channels that heard nothing: why. Rules are those that are in force now.
    """
    return explain(current_parts().runtime, reference)

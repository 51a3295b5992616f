"""What the API takes and gives, as marshmallow schemas. Field names are those of the tables."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from receiver.domain.alert import AlertStatus, Disposition
from receiver.domain.incident import Mitigation, Status
from receiver.domain.severity import Priority, Severity
from receiver.web.api.action_schemas import Action
from receiver.web.api.fields import CommaList, Moment

OPEN = "open"
DEFAULT_LIMIT, LARGEST_LIMIT = 50, 500


def _one_of(*values: str) -> fields.String:
    return fields.String(validate=validate.OneOf([str(value) for value in values]))


def _text(length: int, description: str) -> fields.String:
    return fields.String(validate=validate.Length(max=length), metadata={"description": description})


def _says_something(text: str) -> None:
    if not text.strip():
        raise ma.ValidationError("Nothing but blanks.")


class PageQuery(ma.Schema):
    """Which part of a list."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, LARGEST_LIMIT),
        metadata={"description": "How many at most."},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next_cursor` of the page before; left out for the first."},
    )


class IncidentQuery(PageQuery):
    """Which incidents. Several values of one parameter, comma-separated or repeated: any of them."""

    status = CommaList(
        _one_of(OPEN, *Status),
        load_default=(),
        metadata={"description": "`open` means active and acknowledged."},
    )
    priority = CommaList(_one_of(*Priority), load_default=())
    severity = CommaList(_one_of(*Severity), load_default=())
    service = CommaList(fields.String(), load_default=())
    cluster = CommaList(fields.String(), load_default=())
    namespace = CommaList(fields.String(), load_default=())
    owner = CommaList(fields.String(), load_default=())
    since = Moment(load_default=None, metadata={"description": "Opened at this time or later (RFC 3339)."})
    until = Moment(load_default=None, metadata={"description": "Opened before this time (RFC 3339)."})
    q = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "Text, without case, in title, summary, service or id."},
    )


class AlertQuery(PageQuery):
    """Which alerts."""

    raw = fields.Boolean(
        load_default=False,
        metadata={"description": "`1`: with `raw_payload`, each alert's own JSON as it was sent."},
    )


class DeedBody(ma.Schema):
    """What may be said when doing something to an incident."""

    note = _text(2000, "Kept in the timeline.")
    by = _text(190, "Who does it. Counts only while the API needs no token; else it is the token's name.")


class AssignBody(DeedBody):
    """Who is to own the incident."""

    owner = fields.String(
        required=True,
        allow_none=True,
        validate=[validate.Length(min=1, max=190), _says_something],
        metadata={"description": "A name, or null for nobody."},
    )


class NoteBody(DeedBody):
    """A note for the timeline."""

    note = fields.String(required=True, validate=[validate.Length(min=1, max=2000), _says_something])


class Hold(ma.Schema):
    """Why retention leaves an incident alone."""

    reason = fields.String()
    by = fields.String()
    at = Moment()


class Incident(ma.Schema):
    """A problem that people handle."""

    incident_id = fields.String()
    number = fields.Integer(metadata={"description": "`INC-` and this number is accepted wherever an id is."})
    incident_key = fields.String(metadata={"description": "What its alerts have in common, hashed."})
    status = _one_of(*Status)
    mitigation = _one_of(*Mitigation)
    priority = _one_of(*Priority)
    severity = _one_of(*Severity)
    title = fields.String()
    summary = fields.String()
    rule_uid = fields.String()
    cluster = fields.String()
    namespace = fields.String()
    service = fields.String()
    phase = fields.String()
    labels = fields.Dict(keys=fields.String(), values=fields.String())
    links = fields.Dict(keys=fields.String(), values=fields.String())
    owner = fields.String(allow_none=True)
    alert_count = fields.Integer(metadata={"description": "Alerts over its whole life, repeats included."})
    firing_count = fields.Integer(metadata={"description": "Members that fire now."})
    opened_at = Moment()
    acknowledged_at = Moment(allow_none=True)
    acknowledged_by = fields.String(allow_none=True)
    resolved_at = Moment(allow_none=True)
    resolved_by = fields.String(allow_none=True)
    closed_at = Moment(allow_none=True)
    closed_by = fields.String(allow_none=True)
    last_seen_at = Moment()
    last_notified_at = Moment(allow_none=True)
    diagnostics = fields.Raw(
        allow_none=True,
        metadata={
            "description": "`pods`, `metrics`, `dependencies`: what diagnoses have found; see docs/diagnostics.md."
        },
    )
    held = fields.Nested(
        Hold,
        allow_none=True,
        metadata={
            "description": "Only where one incident is asked for, held or released; null: it is not held."
        },
    )
    remediation_actions = fields.List(
        fields.Nested(Action),
        metadata={"description": "What was done to mend it. Only where one incident is asked for."},
    )
    trace_id = fields.String()


class Alert(ma.Schema):
    """One received alert, and what became of it."""

    alert_id = fields.String()
    delivery_id = fields.String()
    status = fields.String(allow_none=True, validate=validate.OneOf([str(status) for status in AlertStatus]))
    disposition = _one_of(*Disposition)
    alertname = fields.String()
    rule_uid = fields.String()
    fingerprint = fields.String()
    severity = fields.String(allow_none=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String())
    annotations = fields.Dict(keys=fields.String(), values=fields.String())
    state_reason = fields.String(allow_none=True)
    starts_at = Moment(allow_none=True)
    ends_at = Moment(allow_none=True)
    received_at = Moment()
    raw_payload = fields.String(metadata={"description": "Only with `raw=1`."})


class Event(ma.Schema):
    """One state change."""

    event_id = fields.Integer()
    type = fields.String()
    actor = fields.String(metadata={"description": "A person, a source, or a part of the receiver."})
    alert_id = fields.String(allow_none=True)
    action_id = fields.String(allow_none=True)
    payload = fields.Dict()
    trace_id = fields.String()
    created_at = Moment()


def _next_cursor() -> fields.String:
    return fields.String(
        allow_none=True, metadata={"description": "For the next page; null on the last one."}
    )


class IncidentPage(ma.Schema):
    """Incidents, newest first."""

    incidents = fields.List(fields.Nested(Incident))
    next_cursor = _next_cursor()


class AlertPage(ma.Schema):
    """Alerts, newest first."""

    alerts = fields.List(fields.Nested(Alert))
    next_cursor = _next_cursor()


class EventPage(ma.Schema):
    """Events, in the order in which they happened."""

    events = fields.List(fields.Nested(Event))
    next_cursor = _next_cursor()


class Problem(ma.Schema):
    """An error (RFC 9457). `errors` says by field what is wrong, `allowed` which statuses would be legal."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    trace_id = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    allowed = fields.List(fields.String())

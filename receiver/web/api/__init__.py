"""The REST API: flask-smorest blueprints over the services, marshmallow schemas for what goes in and out.

A new resource is a module here whose blueprint is an `ApiBlueprint`, and an entry in `_BLUEPRINTS`.
"""

from __future__ import annotations

from flask import Flask

from receiver.web.api import actions, explain, incident_actions, incidents, reports, timeline
from receiver.web.api.openapi import ProblemApi, describe_other_routes

_BLUEPRINTS = (
    incidents.blueprint,
    timeline.blueprint,
    explain.blueprint,
    incident_actions.blueprint,
    actions.blueprint,
    reports.blueprint,
)


def register(app: Flask) -> ProblemApi:
    """Add the API and /openapi.json to `app`; returns what holds the OpenAPI document."""
    api = ProblemApi(app)
    for blueprint in _BLUEPRINTS:
        api.register_blueprint(blueprint)
    describe_other_routes(app, api.spec)
    return api

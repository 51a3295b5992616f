"""The OpenAPI document: what flask-smorest knows of the blueprints, and the routes that are none of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from apispec import APISpec
from flask import Flask
from flask_smorest import Api

import receiver
from receiver.web import webhooks
from receiver.web.api import schemas
from receiver.web.body import WEBHOOK_LIMIT_BYTES
from receiver.web.errors import MEDIA_TYPE

_JSON_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_SENDER_CREDENTIALS: list[dict[str, list[str]]] = [
    {"sender_token": []},
    {"sender_basic": []},
    {"sender_signature": []},
]


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest has no annotations
    """flask-smorest whose errors are problems: web/errors.py answers them, this describes them."""

    ERROR_SCHEMA = schemas.Problem

    def __init__(self, app: Flask) -> None:
        app.config.update(
            API_TITLE="Alert receiver",
            API_VERSION=receiver.__version__,
            OPENAPI_VERSION="3.0.3",
            OPENAPI_URL_PREFIX="/",
            OPENAPI_JSON_PATH="openapi.json",
        )
        super().__init__(app, spec_kwargs={"security": [{"token": []}]})
        for name, scheme in _security_schemes().items():
            self.spec.components.security_scheme(name, scheme)

    def _register_error_handlers(self) -> None:
        """None of flask-smorest's own: web/errors.py has them."""

    def _register_responses(self) -> None:
        """The one description of all errors."""
        content = {MEDIA_TYPE: {"schema": schemas.Problem}}
        self.spec.components.response(
            "DEFAULT_ERROR", {"description": "A problem.", "content": content}, lazy=True
        )
        # flask-smorest refers to it by Python's name of 422, which has changed between versions of Python.
        wrong = {"description": "A field has a wrong value.", "content": content}
        self.spec.components.response(HTTPStatus(422).name, wrong, lazy=True)


def describe_other_routes(app: Flask, spec: APISpec) -> None:
    """Add to `spec` the webhooks and the routes for operators, which `app` must have already."""
    rules = {rule.rule: rule for rule in app.url_map.iter_rules()}
    spec.tag({"name": "webhooks", "description": "Where Grafana and Alertmanager post to."})
    spec.tag({"name": "operation", "description": "For load balancers and Prometheus."})
    for path in webhooks.PATHS:
        operations = {method.lower(): _webhook(method) for method in webhooks.METHODS}
        spec.path(rule=rules[path], operations=operations)
    for path, summary in _OPERATION.items():
        spec.path(rule=rules[path], operations={"get": _operation(path, summary)})


_OPERATION = {
    "/health": "Does the database answer? 503 if not",
    "/livez": "Does the process answer?",
    "/readyz": "Can requests be served? 503 if not",
    "/metrics": "Metrics for Prometheus",
}


def _operation(path: str, summary: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}} if path == "/metrics" else _JSON_OBJECT
    answers = {
        "200": {"description": "Yes." if path != "/metrics" else "Text or OpenMetrics.", "content": content}
    }
    if path in ("/health", "/readyz"):
        answers["503"] = {"description": "No.", "content": content}
    return {"tags": ["operation"], "summary": summary, "security": [], "responses": answers}


def _webhook(method: str) -> dict[str, Any]:
    limit = WEBHOOK_LIMIT_BYTES // 2**20
    return {
        "tags": ["webhooks"],
        "summary": "Take a delivery of alerts",
        "description": (
            "Grafana, legacy Grafana, Alertmanager and Mimir bodies; the format is told from the body, whatever the "
            f"address. Anything else is kept too, and quarantined. Up to {limit} MiB, not compressed. 200 means that "
            "it is committed."
        ),
        "security": _SENDER_CREDENTIALS,
        "requestBody": {"required": True, "content": _JSON_OBJECT},
        "responses": {
            "200": {"description": "What became of the alerts.", "content": _JSON_OBJECT},
            "default": "DEFAULT_ERROR",
        },
    }


def _security_schemes() -> dict[str, dict[str, str]]:
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of RECEIVER_API_TOKENS."},
        "sender_token": {"type": "http", "scheme": "bearer", "description": "RECEIVER_WEBHOOK_TOKEN"},
        "sender_basic": {"type": "http", "scheme": "basic", "description": "RECEIVER_WEBHOOK_BASIC"},
        "sender_signature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Grafana-Alerting-Signature",
            "description": "Grafana's HMAC over the body, with a secret of RECEIVER_WEBHOOK_HMAC_SECRET.",
        },
    }

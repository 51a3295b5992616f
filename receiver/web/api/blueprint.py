"""The blueprints of the API: each request is let in by role before anything of it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import marshmallow as ma
from flask import g, request
from flask_smorest import Blueprint

from receiver.web.api.arguments import Parser
from receiver.web.api_auth import Principal
from receiver.web.browsers import SAFE_METHODS
from receiver.web.parts import current_parts

PREFIX = "/api/v1/"

View = TypeVar("View", bound=Callable[..., Any])
Schema = type[ma.Schema]


class ApiBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no annotations
    """The addresses under /api/v1/`prefix`: reading needs a viewer, all else a responder."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, *, prefix: str, description: str) -> None:
        super().__init__(name, __name__, url_prefix=PREFIX + prefix, description=description)
        self.before_request(_admit)

    def reads(self, rule: str, *, answers: Schema, query: Schema | None = None) -> Callable[[View], View]:
        """Make a view answer GET: it is called with what `query` made of the parameters, then the path's parts."""

        def decorate(view: View) -> View:
            wrapped: View = self.response(200, answers)(view)
            if query is not None:
                wrapped = self.arguments(query, location="query")(wrapped)
            return self._routed(rule, "GET", wrapped)

        return decorate

    def acts(self, rule: str, *, takes: Schema, answers: Schema) -> Callable[[View], View]:
        """Make a view answer POST: it is called with what `takes` made of the JSON body, then the path's parts."""
        needs_body = any(field.required for field in takes().fields.values())

        def decorate(view: View) -> View:
            wrapped: View = self.arguments(takes, required=needs_body)(self.response(200, answers)(view))
            return self._routed(rule, "POST", wrapped)

        return decorate

    def _routed(self, rule: str, method: str, view: View) -> View:
        # With and without a slash at the end, and never a redirect.
        self.add_url_rule(rule, view_func=view, methods=[method], strict_slashes=False)
        return view


def principal() -> Principal:
    """Who asks."""
    found: Principal = g.principal
    return found


def _admit() -> None:
    parts = current_parts()
    if parts.api_gate.is_open:
        parts.browsers.check_api(request.environ)
    role = "viewer" if request.method in SAFE_METHODS else "responder"
    g.principal = parts.api_gate.admit(request.environ, role)

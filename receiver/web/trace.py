"""The trace id of the request that is being answered: from its `traceparent`, or a new one."""

from __future__ import annotations

from typing import Any

from flask import request

from receiver.ids import trace_id_of

_KEY = "receiver.trace_id"


def current_trace_id() -> str:
    """The same text each time within one request."""
    return trace_id_in(request.environ)


def trace_id_in(environ: dict[str, Any]) -> str:
    """The same text each time for one WSGI environment."""
    found: str | None = environ.get(_KEY)
    if found is None:
        found = environ[_KEY] = trace_id_of(environ.get("HTTP_TRACEPARENT"))
    return found

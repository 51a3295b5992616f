"""The trace id of the request that is being answered: from its `traceparent`, or a new one."""

from __future__ import annotations

from flask import g, request

from receiver.ids import trace_id_of


def current_trace_id() -> str:
    """The same text each time within one request."""
    found: str | None = g.get("trace_id")
    if found is None:
        found = g.trace_id = trace_id_of(request.environ.get("HTTP_TRACEPARENT"))
    return found

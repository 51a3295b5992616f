"""Every error as RFC 9457 problem+json: a stable `type`, a text for people, the trace id; never a traceback.

The outermost handler of the web layer stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from receiver.errors import (
    IllegalTransition,
    InvalidField,
    NotAuthenticated,
    RequestRefused,
    StorageUnavailable,
    TooManyBodies,
)
from receiver.logs import event_logger
from receiver.web import api_auth
from receiver.web.body import discard_body
from receiver.web.parts import current_parts
from receiver.web.trace import current_trace_id

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"
RETRY_AFTER_SECONDS = 5

_log = event_logger("web")


def register(app: Flask) -> None:
    """Make every error that leaves a view of `app`, or that never reaches one, a problem."""
    app.register_error_handler(RequestRefused, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
    app.after_request(_let_it_be_seen)


def problem(status: int, slug: str, title: str, detail: str, **members: Any) -> Response:
    """The answer for one problem; `members` are added to the fixed ones."""
    g.problem = slug
    body = {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": detail,
        "trace_id": current_trace_id(),
        **members,
    }
    return Response(msgspec.json.encode(body), status, mimetype=MEDIA_TYPE)


def invalid_fields(errors: Mapping[str, Sequence[str]]) -> Response:
    """422 for fields of a request; `errors` says by field what is wrong."""
    detail = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in errors.items())
    return problem(InvalidField.status, InvalidField.slug, InvalidField.title, detail, errors=errors)


def _let_it_be_seen(response: Response) -> Response:
    if response.status_code >= 400 and request.method in ("POST", "PUT", "PATCH"):
        discard_body(request.environ)
    return response


def _refused(error: RequestRefused) -> Response:
    if isinstance(error, InvalidField):
        return invalid_fields({error.field: [error.detail]})
    members = {"allowed": list(error.allowed)} if isinstance(error, IllegalTransition) else {}
    answer = problem(error.status, error.slug, error.title, error.detail, **members)
    if isinstance(error, NotAuthenticated):
        answer.headers["WWW-Authenticate"] = _challenge()
    if isinstance(error, StorageUnavailable | TooManyBodies):
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _challenge() -> str:
    is_webhook = (request.endpoint or "").startswith("webhook ")
    return current_parts().webhook_gate.challenge if is_webhook else api_auth.CHALLENGE


def _http(error: HTTPException) -> Response:
    """What Flask, Werkzeug and the argument parser raise by themselves."""
    status = error.code or 500
    messages = getattr(error, "data", {}).get("messages")
    if status == InvalidField.status and messages is not None:
        return invalid_fields(_by_field(messages))
    answer = problem(status, error.name.lower().replace(" ", "-"), error.name, _detail(error, status))
    if (allowed := getattr(error, "valid_methods", None)) is not None:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def _detail(error: HTTPException, status: int) -> str:
    if status == 404:
        return "there is nothing at this address; /docs lists what there is"
    if status == 405:
        allowed = sorted(set(getattr(error, "valid_methods", None) or ()) - {"OPTIONS"})
        text = f"this address takes {' or '.join(allowed)}, not {request.method}"
        if request.method == "GET" and "POST" in allowed:
            text += "; if a POST was sent, a redirect on the way has made a GET of it: send to where it leads"
        return text
    return error.description or error.name


def _by_field(messages: Any) -> dict[str, list[str]]:
    """The argument parser's messages, {location: {field: [text]}}, by field alone."""
    found: dict[str, list[str]] = {}
    for location, fields in messages.items():
        for field, texts in fields.items() if isinstance(fields, Mapping) else ((location, fields),):
            name = "body" if field == "_schema" else str(field)
            found[name] = _flat(texts)
    return found


def _flat(texts: Any) -> list[str]:
    """The texts for one field, of which a list has some for each of its places."""
    if isinstance(texts, Mapping):
        texts = list(texts.values())
    return [text for part in texts for text in _flat(part)] if isinstance(texts, list) else [str(texts)]


def _unexpected(error: Exception) -> Response:
    # The log formatter keeps the places and drops the error's text, which may hold a statement or a body.
    _log.error(
        "request.failed", exc_info=error, extra={"trace_id": current_trace_id(), "endpoint": request.endpoint}
    )
    return problem(
        500, "internal-error", "Internal error", "the receiver has a fault; its log has it under trace_id"
    )

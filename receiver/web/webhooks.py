"""Where alerts come in. The hot path: it reads the body, lets the sender in, and hands over to the intake."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec
from flask import Flask, Response, g, request

from receiver import metrics
from receiver.domain.delivery import Answer, Delivery
from receiver.logs import event_logger
from receiver.web.body import WEBHOOK_LIMIT_BYTES, read_body
from receiver.web.body_room import BodyRoom, Booking
from receiver.web.headers import PLAIN
from receiver.web.parts import Parts, current_parts
from receiver.web.parts import of as parts_of
from receiver.web.trace import current_trace_id, trace_id_in
from receiver.web.webhook_auth import Admitted

# The format is told from the body alone; the paths say for people what is meant.
PATHS = ("/api/v1/webhooks/grafana", "/api/v1/webhooks/alertmanager", "/webhook/alert")
METHODS = ("POST", "PUT")  # Grafana offers both
# The only headers that are stored: no credential, signature or cookie can be among them.
_KEPT_HEADERS = (
    ("User-Agent", "HTTP_USER_AGENT"),
    ("Content-Type", "CONTENT_TYPE"),
    ("X-Forwarded-For", "HTTP_X_FORWARDED_FOR"),
    ("traceparent", "HTTP_TRACEPARENT"),
)
_KEPT_CHARACTERS = 255

_REFUSAL = "receiver.refusal"
_HEADERS = [*PLAIN, ("Content-Type", "application/json")]

# One for the process: an application per process is all there ever is.
_room = BodyRoom()
_log = event_logger("webhooks")
_encode = msgspec.json.Encoder().encode


def register(app: Flask) -> None:
    """Add the webhook routes to `app`."""
    for path in PATHS:
        # Without strict_slashes a slash at the end would be redirected, and a redirect makes a GET of a POST.
        app.add_url_rule(path, f"webhook {path}", receive, methods=METHODS, strict_slashes=False)
    app.after_request(_note_refusal)
    app.wsgi_app = PastFlask(parts_of(app), app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to wrap it


class PastFlask:
    """Takes webhooks before Flask does, whose contexts, routing and objects were an eighth of the price of each.

    What is refused goes on to Flask with the error, and is answered there as all errors are.
    """

    def __init__(self, parts: Parts, flask: WSGIApplication) -> None:
        self._parts = parts
        self._flask = flask

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        if environ.get("PATH_INFO") not in PATHS or environ["REQUEST_METHOD"] not in METHODS:
            return self._flask(environ, start_response)
        try:
            answer = _receive(self._parts, environ)
        except Exception as error:  # noqa: BLE001 - the web's outermost handler, in errors.py, has them all
            environ[_REFUSAL] = error
            return self._flask(environ, start_response)
        start_response("200 OK", [*_HEADERS, ("Content-Length", str(len(answer)))])
        return [answer]


def receive() -> Response:
    """Take one delivery; 200 means that it is committed."""
    if _REFUSAL in request.environ:
        # In no variable, or the error and this frame would hold each other.
        raise request.environ.pop(_REFUSAL)
    return Response(_receive(current_parts(), request.environ), mimetype="application/json")


def _receive(parts: Parts, environ: WSGIEnvironment) -> bytes:
    with _room.booking() as booking:
        return _take(parts, environ, booking)


def _take(parts: Parts, environ: WSGIEnvironment, booking: Booking) -> bytes:
    admitted, body = _admit(parts, environ, booking)
    started = time.perf_counter()
    delivery = parts.intake.read(
        body,
        content_type=environ.get("CONTENT_TYPE", ""),
        headers=_kept_headers(environ),
        credential=admitted.credential,
        signature_verified=admitted.signature_verified,
        trace_id=trace_id_in(environ),
    )
    answer = parts.acceptance.accept(delivery)
    seconds = time.perf_counter() - started
    metrics.INTAKE_SECONDS.observe(seconds)
    _log.info("delivery.processed", extra=_facts(delivery, answer, seconds))
    return _encode(answer.as_json())


def _admit(parts: Parts, environ: Mapping[str, Any], booking: Booking) -> tuple[Admitted, bytes]:
    """What let the request in, and its body, which is not read for a sender who cannot be let in."""
    if parts.webhook_gate.is_open:
        parts.browsers.check_webhook(environ)
    check = parts.webhook_gate.before_body(environ)
    body = read_body(environ, WEBHOOK_LIMIT_BYTES, booking)
    return check(body), body


def _kept_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    return {name: environ[key][:_KEPT_CHARACTERS] for name, key in _KEPT_HEADERS if environ.get(key)}


def _facts(delivery: Delivery, answer: Answer, seconds: float) -> dict[str, Any]:
    facts = {
        "delivery_id": answer.delivery_id,
        "trace_id": answer.trace_id,
        "source": delivery.source,
        "outcome": answer.outcome.value,
        "alerts": sum(answer.counts.values()),
        "dispositions": answer.counts,
        "seconds": round(seconds, 4),
    }
    return facts if answer.reason is None else facts | {"reason": answer.reason}


def _note_refusal(response: Response) -> Response:
    if response.status_code >= 400 and request.path.rstrip("/") in PATHS:
        metrics.REFUSALS.labels(str(response.status_code)).inc()
        facts = {
            "status": response.status_code,
            "problem": g.get("problem", ""),
            "trace_id": current_trace_id(),
        }
        _log.warning("webhook.refused", extra=facts)
    return response

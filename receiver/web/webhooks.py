"""Where alerts come in. The hot path: it reads the body, lets the sender in, and hands over to the intake."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Flask, Response, g, request

from receiver import metrics
from receiver.domain.delivery import Answer, Delivery
from receiver.logs import event_logger
from receiver.web.body import WEBHOOK_LIMIT_BYTES, read_body
from receiver.web.body_room import BodyRoom, Booking
from receiver.web.parts import Parts, current_parts
from receiver.web.trace import current_trace_id
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


def receive() -> Response:
    """Take one delivery; 200 means that it is committed."""
    with _room.booking() as booking:
        return _take(current_parts(), request.environ, booking)


def _take(parts: Parts, environ: Mapping[str, Any], booking: Booking) -> Response:
    admitted, body = _admit(parts, environ, booking)
    started = time.perf_counter()
    delivery = parts.intake.read(
        body,
        content_type=environ.get("CONTENT_TYPE", ""),
        headers=_kept_headers(environ),
        credential=admitted.credential,
        signature_verified=admitted.signature_verified,
        trace_id=current_trace_id(),
    )
    answer = parts.acceptance.accept(delivery)
    seconds = time.perf_counter() - started
    metrics.INTAKE_SECONDS.observe(seconds)
    _log.info("delivery.processed", extra=_facts(delivery, answer, seconds))
    return Response(_encode(answer.as_json()), mimetype="application/json")


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

"""Credentials: only the right one lets in, whatever else is sent."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from fuzz.pieces import pieces
from receiver.config import load
from receiver.errors import NotAllowed, NotAuthenticated
from receiver.web.api_auth import ApiGate
from receiver.web.webhook_auth import WebhookGate

_TOKEN, _BASIC, _SECRET = "right-token-1", "grafana:right:pass", "right-secret-of-32-characters-xx"
_NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_SETTINGS = load(
    {
        "RECEIVER_BIND": "0.0.0.0:8080",
        "RECEIVER_WEBHOOK_TOKEN": _TOKEN,
        "RECEIVER_WEBHOOK_BASIC": _BASIC,
        "RECEIVER_WEBHOOK_HMAC_SECRET": _SECRET,
        "RECEIVER_WEBHOOK_HMAC_TIMESTAMP_HEADER": "X-Signed-At",
        "RECEIVER_API_TOKENS": f"ann:viewer:{_TOKEN}",
    }
)
_GATE = WebhookGate(_SETTINGS, lambda: _NOW)
_API = ApiGate(_SETTINGS)


def signature(data: bytes) -> None:
    """A signature, a time, and a body."""
    shown, moment, body = pieces(data, 3)
    environ = {"HTTP_X_GRAFANA_ALERTING_SIGNATURE": _header(shown), "HTTP_X_SIGNED_AT": _header(moment)}
    right = (
        hmac.new(_SECRET.encode(), moment.strip(b" \t") + b":" + body, hashlib.sha256).hexdigest().encode()
    )
    if _is_admitted(environ, body):
        assert shown.strip(b" \t") == right, "a wrong signature let in"
        assert abs(int(moment) - _NOW.timestamp()) <= 300
    environ["HTTP_X_GRAFANA_ALERTING_SIGNATURE"] = right.decode()
    is_now = (
        moment.strip(b" \t").isdigit()
        and len(moment.strip(b" \t")) <= 12
        and abs(int(moment) - _NOW.timestamp()) <= 300
    )
    assert _is_admitted(environ, body) == is_now


def authorization(data: bytes) -> None:
    """An Authorization header, for webhooks and for the API."""
    text = _header(data)
    is_in = _is_admitted({"HTTP_AUTHORIZATION": text}, b"{}")
    scheme, _, value = text.strip(" \t").partition(" ")
    if is_in:
        assert scheme.lower() in ("bearer", "basic")
        assert scheme.lower() == "basic" or value.strip(" \t") == _TOKEN
    try:
        _API.admit({"HTTP_AUTHORIZATION": text}, "viewer")
    except (NotAuthenticated, NotAllowed) as error:
        assert _TOKEN not in error.detail
    else:
        assert scheme.lower() == "bearer"
        assert value.strip(" \t") == _TOKEN


def _header(piece: bytes) -> str:
    """As a WSGI server hands it over (PEP 3333)."""
    return piece.decode("latin-1")


def _is_admitted(environ: dict[str, Any], body: bytes) -> bool:
    try:
        _GATE.before_body(environ)(body)
    except NotAuthenticated as error:
        assert not any(secret in error.detail for secret in (_TOKEN, _SECRET, _BASIC))
        return False
    return True

"""Who may send alerts: bearer token, basic, or Grafana's HMAC signature. Any kind that is configured lets in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.clock import Clock
from receiver.config import Settings
from receiver.errors import NotAuthenticated
from receiver.web import credentials
from receiver.web.credentials import OWS

# Grafana's documents name one header, its code falls back on another (receivers/webhook/v1/config.go, http/hmac.go).
OLDER_SIGNATURE_HEADER = "X-Grafana-Alert-Signature"
SIGNATURE_WINDOW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Admitted:
    """What let a delivery in: bearer, basic, hmac or none; and whether a signature was checked and right."""

    credential: str
    signature_verified: bool = False


class WebhookGate:
    """Decides on webhook requests. Ask `before_body` first: it refuses without the body being read."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._open = not settings.has_webhook_credential and (settings.bind.is_loopback or not settings.auth)
        self._configured = settings.has_webhook_credential
        self._bearer = credentials.digests(settings.webhook_token)
        self._basic = credentials.digests(settings.webhook_basic)
        self._hmac = tuple(secret.encode() for secret in settings.webhook_hmac_secret)
        self._signature_keys = (
            _environ_key(settings.webhook_hmac_header),
            _environ_key(OLDER_SIGNATURE_HEADER),
        )
        self._timestamp_header = settings.webhook_hmac_timestamp_header
        self.challenge = _challenge(settings)

    @property
    def is_open(self) -> bool:
        """Whether senders need no credential."""
        return self._open

    def before_body(self, environ: Mapping[str, Any]) -> Callable[[bytes], Admitted]:
        """A function that, given the body, says what let the request in, or raises NotAuthenticated.

        Raises NotAuthenticated at once where no body could help. `environ` is the WSGI environment.
        """
        if self._open:
            return lambda body: Admitted("none")
        if not self._configured:
            raise NotAuthenticated(
                "this receiver takes no alerts yet: set RECEIVER_WEBHOOK_TOKEN (or RECEIVER_WEBHOOK_BASIC, or "
                "RECEIVER_WEBHOOK_HMAC_SECRET) and give the sender the same, or set RECEIVER_AUTH=off"
            )
        kind = self._authorization_kind(environ)
        signature = self._signature(environ)
        if signature is None:
            if kind is None:
                raise NotAuthenticated(
                    f"no accepted credential came with the request; accepted: {self._kinds()}"
                )
            admitted = Admitted(kind)
            return lambda body: admitted
        prefix = self._signed_prefix(environ)

        def check(body: bytes) -> Admitted:
            if not credentials.signature_matches(signature, (*prefix, body), self._hmac):
                raise NotAuthenticated(
                    "the signature is not that of this body: compare the secret, and whether a timestamp header is "
                    "set on both sides or on none"
                )
            return Admitted(kind or "hmac", signature_verified=True)

        return check

    def _authorization_kind(self, environ: Mapping[str, Any]) -> str | None:
        scheme, value = credentials.scheme_and_value(environ.get("HTTP_AUTHORIZATION", ""))
        if scheme == "bearer" and credentials.matches(value, self._bearer):
            return "bearer"
        if scheme == "basic" and credentials.matches(credentials.basic_pair(value), self._basic):
            return "basic"
        return None

    def _signature(self, environ: Mapping[str, Any]) -> bytes | None:
        """The signature that must be checked: a wrong one is refused also where a token would do."""
        if not self._hmac:
            return None
        shown = next((environ[key] for key in self._signature_keys if key in environ), None)
        return None if shown is None else str(shown).strip(OWS).encode("latin-1", "replace")

    def _signed_prefix(self, environ: Mapping[str, Any]) -> tuple[bytes, ...]:
        """What stands before the body in the signed text: `<unix seconds>:` where a timestamp header is set.

        It is required then: who could drop it could send an old request again for ever.
        """
        if self._timestamp_header is None:
            return ()
        text = str(environ.get(_environ_key(self._timestamp_header), "")).strip(OWS)
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise NotAuthenticated(
                f"the header {self._timestamp_header} with the signed time is missing or no number"
            )
        if abs(_seconds_since(int(text), self._clock())) > SIGNATURE_WINDOW_SECONDS:
            raise NotAuthenticated(
                f"the signed time is more than {SIGNATURE_WINDOW_SECONDS} seconds off: compare both clocks"
            )
        return (text.encode(), b":")

    def _kinds(self) -> str:
        kinds = (
            ("Authorization: Bearer", self._bearer),
            ("Authorization: Basic", self._basic),
            ("a signature header of Grafana", self._hmac),
        )
        return ", ".join(name for name, secrets in kinds if secrets)


def _environ_key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def _seconds_since(unix_seconds: int, now: datetime) -> float:
    return now.timestamp() - unix_seconds


def _challenge(settings: Settings) -> str:
    """`WWW-Authenticate` of a 401, which RFC 9110 asks for; a signature has no registered scheme."""
    schemes = []
    if settings.webhook_basic:
        schemes.append('Basic realm="alerts", charset="UTF-8"')
    if settings.webhook_token or not schemes:
        schemes.append('Bearer realm="alerts"')
    return ", ".join(schemes)

"""Keeps foreign web pages away from a receiver that asks for no credential: a browser on this machine can reach it.

Two ways are closed: a page that posts across sites, and a page whose own name is made to resolve to this machine
(DNS rebinding), which to the browser is the same site.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from receiver.config import Settings
from receiver.errors import NotAllowed

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})  # same-site: another port or a neighbour's name


class BrowserGuard:
    """Checks the headers that browsers set and that pages cannot change (Host, Origin, Sec-Fetch-Site)."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url or "")
        self._public_netloc = public.netloc.lower()
        names = _LOCAL_NAMES | {settings.bind.host} | ({public.hostname} if public.hostname else set())
        # Beyond loopback the receiver does not know its own names.
        self._names = names if settings.bind.is_loopback else None

    def check_api(self, environ: Mapping[str, Any]) -> None:
        """Raises NotAllowed for a name that is not ours, and for a change asked for by a page of another site."""
        host = environ.get("HTTP_HOST", "").lower()
        if self._names is not None and _hostname(host) not in self._names:
            raise NotAllowed(
                "without credentials this receiver answers to localhost only; for another name set "
                "RECEIVER_PUBLIC_URL, or RECEIVER_API_TOKENS and RECEIVER_WEBHOOK_TOKEN"
            )
        if environ["REQUEST_METHOD"] not in SAFE_METHODS and self._is_foreign(environ, host):
            raise NotAllowed(
                "a page of another site may not act here; set RECEIVER_API_TOKENS and send a token"
            )

    def check_webhook(self, environ: Mapping[str, Any]) -> None:
        """The same, for browsers only: senders of alerts are none, and may use any name for this machine."""
        if "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ:
            self.check_api(environ)

    def _is_foreign(self, environ: Mapping[str, Any], host: str) -> bool:
        if environ.get("HTTP_SEC_FETCH_SITE") in _FOREIGN_SITES:
            return True
        origin = environ.get("HTTP_ORIGIN")
        # `Origin: null` (a sandboxed frame, a file) has no netloc and is foreign too.
        return origin is not None and _netloc(origin) not in {host, self._public_netloc} - {""}


def _netloc(address: str) -> str:
    """Host and port of an address in lower case; empty where it has none or is malformed."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def _hostname(netloc: str) -> str | None:
    try:
        return urlsplit(f"//{netloc}").hostname
    except ValueError:
        return None

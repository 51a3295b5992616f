"""Headers on every answer: no sniffing, no scripts, no framing, no caches."""

from __future__ import annotations

from flask import Flask, Response

_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
)
_NOTHING_TO_RUN = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
# Of an answer that is no page.
PLAIN = (*_ALWAYS, _NOTHING_TO_RUN)


def register(app: Flask) -> None:
    """Add the headers to every answer of `app`; a page that needs another policy sets its own before."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    headers = response.headers
    for name, value in _ALWAYS:
        headers[name] = value
    headers.setdefault(*_NOTHING_TO_RUN)
    return response

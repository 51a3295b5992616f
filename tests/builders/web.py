"""Requests and settings as the web layer sees them."""

from __future__ import annotations

import io
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from receiver.app import create_app
from receiver.config import Settings, load
from receiver.runtime import Runtime


def settings(**given: str) -> Settings:
    """Settings from names without RECEIVER_."""
    return load({f"RECEIVER_{name}": value for name, value in given.items()})


def environ(
    body: bytes = b"", *, method: str = "POST", length: int | None = -1, **headers: str
) -> dict[str, Any]:
    """A WSGI environment; `length` announces another length than the body's, None announces none (chunks).

    Headers are named as in Python: `Content_Encoding`.
    """
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "HTTP_HOST": "localhost:8080",
        "wsgi.input": io.BytesIO(body),
    }
    if length is None:
        made |= {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    else:
        made["CONTENT_LENGTH"] = str(len(body) if length < 0 else length)
    return made | {f"HTTP_{name.upper()}": value for name, value in headers.items()}


def app_of(runtime: Runtime) -> Flask:
    """The application over a test's runtime."""
    return create_app(runtime.settings, runtime)


def client_of(runtime: Runtime) -> FlaskClient:
    """A client of the application over a test's runtime."""
    return app_of(runtime).test_client()

"""Builds the web application: which parts answer which addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin

from receiver.config import Settings
from receiver.domain.rules.model import RuleSet
from receiver.runtime import Runtime
from receiver.web import api, docs, errors, headers, health, parts, prometheus, webhooks


class _NoSessions(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        return self.make_null_session(app)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        return None


class _App(Flask):
    """Flask without what nobody here uses, and each request pays for: sessions, and views that are coroutines."""

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings, runtime: Runtime | None = None, rules: RuleSet | None = None) -> Flask:
    """The WSGI application for `settings`.

    Without a `runtime` each process builds its own when its first request comes, with `rules` if they are given, so a
    server may build the application before it forks. Whoever ends a process may call `close` on the application's
    parts (see `close_app`).
    """
    app = _App("receiver", static_folder=None)
    app.url_map.merge_slashes = False  # merging redirects, and a redirect makes a GET of a POST
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it; fields keep their order
    parts.install(app, parts.Parts(settings, runtime, rules))
    headers.register(app)
    webhooks.register(app)
    health.register(app)
    prometheus.register(app)
    docs.register(app, api.register(app))
    errors.register(app)
    return app


def start_app(app: Flask) -> None:
    """Begin what goes on beside requests, as emptying the spool; for the hook with which a server begins a worker."""
    parts.of(app).start()


def close_app(app: Flask) -> None:
    """Give back the database connections of this process; for the hook with which a server ends a worker."""
    parts.of(app).close()

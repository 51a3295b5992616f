"""Builds the web application: which parts answer which addresses."""

from __future__ import annotations

from flask import Flask

from receiver.config import Settings
from receiver.domain.rules.model import RuleSet
from receiver.runtime import Runtime
from receiver.web import api, docs, errors, headers, health, parts, prometheus, webhooks


def create_app(settings: Settings, runtime: Runtime | None = None, rules: RuleSet | None = None) -> Flask:
    """The WSGI application for `settings`.

    Without a `runtime` each process builds its own when its first request comes, with `rules` if they are given, so a
    server may build the application before it forks. Whoever ends a process may call `close` on the application's
    parts (see `close_app`).
    """
    app = Flask("receiver", static_folder=None)
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

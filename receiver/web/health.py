"""For load balancers, supervisors and people: does the process live, and can it work?"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Flask, Response

import receiver
from receiver.services.health import Report
from receiver.web.parts import current_parts


def register(app: Flask) -> None:
    """Add /livez, /readyz and /health to `app`. They are open: nothing of any alert is in them."""
    app.add_url_rule("/livez", view_func=livez)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/health", view_func=health)


def livez() -> Response:
    """200 as long as the process answers, whatever its neighbours do: a restart would not mend those."""
    return _answer(200, {"status": "alive"})


def readyz() -> Response:
    """200 when requests can be served: the database answers and has this release's schema."""
    report = current_parts().health.report()
    found = {"status": "ready" if report.is_ready else "unready", **_database(report)}
    return _answer(200 if report.is_ready else 503, found)


def health() -> Response:
    """200 when the database answers."""
    report = current_parts().health.report()
    found = {"status": "healthy" if report.is_connected else "unhealthy", **_database(report)}
    return _answer(200 if report.is_connected else 503, found)


def _database(report: Report) -> dict[str, Any]:
    return {
        "database": "connected" if report.is_connected else "disconnected",
        "schema": {"revision": report.revision, "needed": report.needed},
        "version": receiver.__version__,
    }


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, mimetype="application/json")

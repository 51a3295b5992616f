"""For load balancers, supervisors and people: does the process live, and can it work?"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Flask, Response

import receiver
from receiver.clock import utc_now
from receiver.errors import SpoolFailed
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
    """200 when alerts can be taken: by the database, which then has this release's schema, or by the spool meanwhile.

    Were it 503 while the database is away, a load balancer would send the alerts nowhere.
    """
    report, spool = current_parts().health.report(), _spool()
    is_ready = report.is_ready or (not report.is_connected and spool["status"] == "ok")
    found = {"status": "ready" if is_ready else "unready", **_database(report), "spool": spool}
    return _answer(200 if is_ready else 503, found)


def health() -> Response:
    """200 when the database answers."""
    report = current_parts().health.report()
    status = "healthy" if report.is_connected else "unhealthy"
    found = {"status": status, **_database(report), "spool": _spool()}
    return _answer(200 if report.is_connected else 503, found)


def _database(report: Report) -> dict[str, Any]:
    return {
        "database": "connected" if report.is_connected else "disconnected",
        "schema": {"revision": report.revision, "needed": report.needed},
        "version": receiver.__version__,
    }


def _spool() -> dict[str, Any]:
    try:
        depth = current_parts().spool.depth()
    except SpoolFailed:
        return {"status": "broken"}
    oldest = depth.oldest_received_at
    return {
        "status": "ok",
        "deliveries": depth.deliveries,
        "refused": depth.refused,
        "used_bytes": depth.used_bytes,
        "oldest_seconds": 0.0 if oldest is None else round((utc_now() - oldest).total_seconds(), 3),
    }


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, mimetype="application/json")

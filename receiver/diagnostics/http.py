"""Whether a web service answers, and with which status."""

from __future__ import annotations

from receiver.diagnostics.base import Facts, Place, patient


def look(place: Place, seconds: float) -> Facts:
    """GET; a status below 400 is as it should be. A redirect is an answer, and is not followed."""
    scheme = "https" if place.is_tls else "http"
    url = f"{scheme}://{place.address}{place.path}"
    status = patient(seconds).guarded(place.guard).request("GET", url).status
    return {"ok": status < 400, "status": status}

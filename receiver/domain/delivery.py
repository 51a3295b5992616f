"""One accepted webhook request, and what its sender is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from receiver.domain.alert import ParsedBody


class Outcome(StrEnum):
    """What became of a delivery."""

    PROCESSED = "processed"
    QUARANTINED = "quarantined"
    SPOOLED = (
        "spooled"  # on the disk of the machine that took it; the database has it as soon as it answers again
    )


@dataclass(slots=True)
class Delivery:
    """A request whose body is kept byte for byte. `parsed` is None when no source understands it; `reason` says why.

    `headers` hold no secrets. `credential` names the kind that let it in: bearer, basic, hmac or none.
    """

    delivery_id: str
    trace_id: str
    received_at: datetime
    body: bytes
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    credential: str = "none"
    signature_verified: bool = False
    parsed: ParsedBody | None = None
    reason: str | None = None

    @property
    def source(self) -> str:
        """Who sent it, as far as the body tells."""
        return self.parsed.source if self.parsed else "unknown"


@dataclass(slots=True)
class IncidentView:
    """What a sender is told about an incident that its alerts touched."""

    incident_id: str
    number: int | None
    incident_key: str
    status: str
    alert_count: int
    disposition: str


@dataclass(slots=True)
class Answer:
    """The receipt for one delivery: nothing in it is promised before COMMIT, or before the spool has it on its disk.

    `received`: how many alerts there are, where it is not known yet what becomes of them.
    """

    delivery_id: str
    trace_id: str
    outcome: Outcome
    counts: dict[str, int] = field(default_factory=dict)
    incidents: list[IncidentView] = field(default_factory=list)
    reason: str | None = None
    received: int = 0

    def as_json(self) -> dict[str, Any]:
        """The body of the 200 answer."""
        alerts = {"received": sum(self.counts.values()) or self.received, **self.counts}
        found: dict[str, Any] = {
            "delivery_id": self.delivery_id,
            "trace_id": self.trace_id,
            "outcome": self.outcome.value,
            "alerts": alerts,
            "incidents": [
                {
                    "incident_id": view.incident_id,
                    "number": view.number,
                    "incident_key": view.incident_key,
                    "status": view.status,
                    "alert_count": view.alert_count,
                    "disposition": view.disposition,
                }
                for view in self.incidents
            ],
        }
        if self.reason is not None:
            found["reason"] = self.reason
        return found

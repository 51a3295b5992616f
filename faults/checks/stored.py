"""C1 to C4: what the database holds."""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from faults.checks.evidence import Evidence
from faults.history import End
from faults.model import StoredAlert, StoredIncident, differences
from receiver.storage.tables import deliveries, grafana_alerts, incidents


def every_2xx_is_stored(evidence: Evidence) -> list[str]:
    """C1: what was acknowledged is there byte for byte; what was refused is not; nothing else is."""
    with evidence.stack.engine.connect() as connection:
        stored = {
            row.delivery_id: hashlib.sha256(row.body).hexdigest()
            for row in connection.execute(select(deliveries.c.delivery_id, deliveries.c.body))
        }
    found = []
    acknowledged = [one for one in evidence.requests if one.end is End.OK]
    for one in acknowledged:
        digest = stored.get(one.delivery_id)
        if digest is None:
            found.append(f"lost: {one.delivery_id} ({one.outcome})")
        elif digest != one.digest:
            found.append(f"changed: {one.delivery_id} ({one.outcome})")
    sent = {one.digest for one in evidence.requests if one.end is not End.FAIL}
    found += [f"from nowhere: {name}" for name, digest in stored.items() if digest not in sent]
    if len({one.delivery_id for one in acknowledged}) != len(acknowledged):
        found.append("two answers gave the same delivery_id")
    evidence.figures["acknowledged"] = len(acknowledged)
    evidence.figures["alerts"] = sum(one.alerts for one in acknowledged)
    evidence.figures["spooled"] = sum(one.outcome == "spooled" for one in acknowledged)
    evidence.figures["unknown"] = sum(one.end is End.UNKNOWN for one in evidence.requests)
    evidence.figures["lost"] = sum(text.startswith("lost") for text in found)
    return found


def never_two_open(evidence: Evidence) -> list[str]:
    """C2: no sample saw two open incidents of one key."""
    evidence.figures["samples"] = evidence.sampler.samples
    evidence.figures["double_open"] = len(evidence.sampler.twice)
    found = [f"two open incidents of {key}" for key in sorted(evidence.sampler.twice)]
    return found if evidence.sampler.samples else ["nothing was sampled"]


def state_is_what_the_model_says(evidence: Evidence) -> list[str]:
    """C3: dispositions and incidents are what the reference model makes of the stored alerts."""
    alert, incident = grafana_alerts.c, incidents.c
    with evidence.stack.engine.connect() as connection:
        bodies = dict(connection.execute(select(deliveries.c.delivery_id, deliveries.c.body)).all())
        rows = [
            StoredAlert(
                row.alert_id, row.delivery_id, row.disposition.value, row.incident_id, row.incident_key
            )
            for row in connection.execute(
                select(
                    alert.alert_id,
                    alert.delivery_id,
                    alert.disposition,
                    alert.incident_id,
                    alert.incident_key,
                )
            )
        ]
        stored = [
            StoredIncident(
                row.incident_id, row.incident_key, row.status.value, row.alert_count, row.firing_count
            )
            for row in connection.execute(
                select(
                    incident.incident_id,
                    incident.incident_key,
                    incident.status,
                    incident.alert_count,
                    incident.firing_count,
                )
            )
        ]
    evidence.figures["incidents"] = len(stored)
    return differences({str(name): bytes(body) for name, body in bodies.items()}, rows, stored)


def every_job_ends(evidence: Evidence) -> list[str]:
    """C4: within the time after healing every job is done or dead, and the spool is empty."""
    return list(evidence.unfinished)

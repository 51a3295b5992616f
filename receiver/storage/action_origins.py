"""Why the actions of an incident were asked for: what keeps rules from following from themselves."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from receiver.domain.rules.lineage import Origin
from receiver.storage.tables import remediation_actions

_origins = select(remediation_actions.c.action_id, remediation_actions.c.options).where(
    remediation_actions.c.incident_id == bindparam("incident_id")
)


def origins(connection: Connection, incident_id: str) -> dict[str, Origin]:
    """The rule and the cause of each action of the incident, by action_id."""
    found = connection.execute(_origins, {"incident_id": incident_id})
    return {
        action_id: Origin(str(options.get("rule") or ""), str(options.get("cause") or ""))
        for action_id, options in found
    }

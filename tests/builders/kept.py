"""Deliveries of which retention has to tell apart what may go from what must stay."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from receiver.clock import utc_now
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.intake import Intake
from receiver.storage.tables import approvals, incidents, jobs, notifications, remediation_actions
from tests.builders import bodies

NOT_JSON = b"\xff\x00 no JSON at all \xc3\x28"


def take_in(runtime: Runtime) -> None:
    """An open incident, a resolved one, a delivery of both, an orphan and NOT_JSON; no job is left to be done."""
    intake = Intake(runtime)
    slow, disk = bodies.alert("Slow"), bodies.alert("DiskFull")
    for body in (
        bodies.alertmanager([slow, disk]),
        bodies.alertmanager([slow]),
        bodies.alertmanager([bodies.alert("Slow", status="resolved")]),
        bodies.alertmanager([bodies.alert("Gone", status="resolved")]),
        NOT_JSON,
    ):
        intake.accept(intake.read(body, trace_id=new_trace_id()))
    with runtime.engine.begin() as connection:
        connection.execute(update(jobs).values(state="done", finished_at=utc_now()))


def remediate(runtime: Runtime) -> None:
    """The resolved incident has had an action, which was approved, and a message."""
    with runtime.engine.begin() as connection:
        over = connection.execute(select(incidents.c.incident_id).where(incidents.c.status == "resolved"))
        incident_id = over.scalar_one()
        action = {
            "action_id": "act-1",
            "incident_id": incident_id,
            "ordinal": 1,
            "type": "kubernetes.scale",
            "target": "shop/web",
            "parameters": {"replicas": 3},
            "options": {},
            "requested_by": "ann",
            "reason": "",
            "state": "completed",
            "is_dry_run": False,
            "requested_at": utc_now(),
            "trace_id": new_trace_id(),
        }
        connection.execute(insert(remediation_actions), action)
        approval = {"action_id": "act-1", "state": "approved", "requested_at": utc_now()}
        connection.execute(insert(approvals), approval)
        sent = {
            "incident_id": incident_id,
            "channel": "slack",
            "template": "opened",
            "sequence": 0,
            "state": "sent",
            "job_id": 1,
            "attempt": 1,
            "alert_count": 1,
            "severity": "critical",
            "finished_at": utc_now(),
        }
        connection.execute(insert(notifications), sent)

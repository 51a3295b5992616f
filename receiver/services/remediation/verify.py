"""Looks whether an action that was carried out has helped: by a query, or by the alerts of its incident."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from receiver.diagnostics.registry import build_prometheus
from receiver.domain.action_state import ActionState
from receiver.domain.comparison import read_comparison
from receiver.domain.incident import is_open
from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.errors import DeliveryFailed
from receiver.runtime import Runtime
from receiver.services.job_handler import Completion
from receiver.services.remediation import endings
from receiver.services.remediation.held import Held, hold
from receiver.storage import database_clock, incident_queries, remediation
from receiver.storage.engine import reading

QUERY_SECONDS = 10.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 15.0
_LOOKS = 10  # at least so many in the time that is given, unless they would come too close
_UNSET = "RECEIVER_PROMETHEUS_URL is not set"

# Whether it has helped (None: that could not be found out), and what was seen.
Sight = tuple[bool | None, str]


class Verifier:
    """Looks again and again until the check holds or its time is over."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._prometheus = build_prometheus(runtime.settings)

    def run(self, job: ClaimedJob) -> Completion:
        """One look, outside any transaction."""
        with reading(self._runtime.engine) as connection:
            row = remediation.find(connection, job.payload["action_id"])
            incident = incident_queries.by_reference(connection, job.incident_id or "")
            now = database_clock.now(connection)
        if row is None or incident is None or row["state"] != ActionState.VERIFYING:
            return Completion(Outcome(Verdict.DONE, "there is nothing to verify"))
        spec = row["options"]["verify"]
        helped, seen = self._look(spec, incident)
        if helped:
            return self._end(job, lambda held: endings.complete(held, seen), seen)
        left = (datetime.fromisoformat(row["options"]["verify_until"]) - now).total_seconds()
        if left > 0:
            pause = min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, spec["within_seconds"] / _LOOKS))
            return Completion(Outcome(Verdict.WAIT, seen, min(pause, max(left, 0.1))))
        reason = f"it was carried out, but did not help within {spec['within_seconds']:g} s: {seen}"
        return self._end(job, lambda held: endings.fail(held, reason, outcome="unverified"), reason)

    def _look(self, spec: Mapping[str, Any], incident: Mapping[Any, Any]) -> Sight:
        if spec["alert_resolved"]:
            if is_open(incident["status"]) and incident["firing_count"]:
                return False, f"{incident['firing_count']} of its alerts still fire"
            return True, "its alerts have resolved"
        if self._prometheus is None:
            return None, _UNSET
        try:
            value = self._prometheus.value(spec["query"], QUERY_SECONDS)
        except DeliveryFailed as failure:
            return None, failure.reason
        expected = read_comparison(spec["holds"])
        if value is None:
            return None, "the query gave no data"
        seen = f"the query gave {value:g}, wanted is {spec['holds'].strip()}"
        return expected is not None and expected.holds(value), seen

    def _end(self, job: ClaimedJob, write: Callable[[Held], None], reason: str) -> Completion:
        return Completion(Outcome(Verdict.DONE, reason), partial(self._write, job, write))

    def _write(self, job: ClaimedJob, write: Callable[[Held], None], connection: Connection) -> None:
        held = hold(connection, self._runtime, job.payload["action_id"])
        if held is not None and held.state is ActionState.VERIFYING:
            write(held)
            held.close()

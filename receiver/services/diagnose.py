"""The `diagnose` job: looks at what a diagnosis of the rules describes, and keeps what it found with the incident."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from receiver.clock import isoformat
from receiver.domain.diagnosis_record import joined, wrong
from receiver.domain.events import Event, EventType
from receiver.domain.incident import Mitigation, is_open
from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.domain.rules.render import View, view_of
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.job_handler import Completion
from receiver.services.subjects import subject_of_row
from receiver.services.transaction import transact
from receiver.storage import events, incident_changes, incident_queries
from receiver.storage.engine import reading

Row = Mapping[Any, Any]
_log = event_logger("diagnose")


class DiagnoseHandler:
    """Makes the diagnoses that jobs of kind `diagnose` ask for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self, job: ClaimedJob) -> Completion:
        """Look at everything, outside any transaction. What cannot be found out is a result too, and no failure.

        A second run, after a worker that died, looks again and replaces what the first one has found.
        """
        name = str(job.payload["diagnosis"])
        row = self._read(job)
        if row is None:
            return _done("its incident does not exist any more")
        if not is_open(row["status"]):
            return _done(f"the incident is {row['status']} by now")
        diagnosis = self._runtime.rules.diagnoses.get(name)
        if diagnosis is None:
            return self._without(job, f"the rules have no diagnosis {name} any more")
        self._begin(job)
        results = self._runtime.diagnostics.collect(diagnosis, _view(row))
        return Completion(
            Outcome(Verdict.DONE, "diagnosed"), lambda connection: self._keep(connection, job, name, results)
        )

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Tell on the incident's timeline that there will be no diagnosis."""
        row = self._locked(connection, job)
        if row is not None:
            self._note(connection, job, reason)

    def _read(self, job: ClaimedJob) -> Row | None:
        with reading(self._runtime.engine) as connection:
            return incident_queries.by_reference(connection, job.incident_id or "")

    def _begin(self, job: ClaimedJob) -> None:
        """Say that somebody looks into it, unless more than that is known already."""
        at = self._runtime.clock()  # fixed before the transaction, which may run again

        def work(connection: Connection, attempt: int) -> None:
            row = self._locked(connection, job)
            if row is None or not is_open(row["status"]) or row["mitigation"] != Mitigation.NONE:
                return
            values = {"mitigation": Mitigation.INVESTIGATING.value}
            incident_changes.change(connection, row["incident_id"], values)
            changes = {"mitigation": [row["mitigation"], values["mitigation"]]}
            event = Event(
                type=EventType.INCIDENT_UPDATED,
                created_at=at,
                actor=_actor(job),
                trace_id=job.trace_id,
                incident_id=row["incident_id"],
                payload={"changes": changes, "diagnosis": job.payload["diagnosis"]},
            )
            self._tell(connection, event, {**row, **values})

        transact(self._runtime.engine, work)

    def _keep(self, connection: Connection, job: ClaimedJob, name: str, results: Mapping[str, Any]) -> None:
        row = self._locked(connection, job)
        if row is None:
            return
        at = self._runtime.clock()
        diagnostics = joined(row["diagnostics"], name, results, isoformat(at) or "")
        incident_changes.change(connection, row["incident_id"], {"diagnostics": diagnostics})
        event = Event(
            type=EventType.DIAGNOSTICS_COMPLETED,
            created_at=at,
            actor=_actor(job),
            trace_id=job.trace_id,
            incident_id=row["incident_id"],
            payload={
                "diagnosis": name,
                "rule": job.payload.get("rule", ""),
                "ordinal": diagnostics["ordinal"],
                "wrong": wrong(results),
                "results": dict(results),
            },
        )
        _log.info(event.type.value, extra=job.facts() | {"diagnosis": name, "wrong": wrong(results)})
        if is_open(row["status"]):
            self._tell(connection, event, {**row, "diagnostics": diagnostics})
        else:  # it was resolved meanwhile: worth knowing afterwards, but nothing may follow from it any more
            events.insert_many(connection, [event])

    def _without(self, job: ClaimedJob, reason: str) -> Completion:
        def write(connection: Connection) -> None:
            if self._locked(connection, job) is not None:
                self._note(connection, job, reason)

        return Completion(Outcome(Verdict.DONE, reason), write)

    def _note(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        told = Event(
            type=EventType.INCIDENT_UPDATED,
            created_at=self._runtime.clock(),
            actor=_actor(job),
            trace_id=job.trace_id,
            incident_id=job.incident_id,
            payload={"note": f"no diagnosis {job.payload['diagnosis']}: {reason}"},
        )
        events.insert_many(connection, [told])

    def _locked(self, connection: Connection, job: ClaimedJob) -> Row | None:
        found = incident_queries.by_reference(connection, job.incident_id or "")
        if found is None:
            return None
        return incident_changes.lock(connection, found["incident_id"], found["incident_key"])

    def _tell(self, connection: Connection, event: Event, row: Row) -> None:
        tell(connection, self._runtime, [event], lambda told: subject_of_row(told, row))


def _view(row: Row) -> View:
    """What the texts of a diagnosis may name: the incident as it is now."""
    now = Event(EventType.INCIDENT_UPDATED, row["last_seen_at"], "", "", row["incident_id"])
    return view_of(subject_of_row(now, row), row["incident_id"])


def _actor(job: ClaimedJob) -> str:
    return f"rule {job.payload['rule']}" if job.payload.get("rule") else "worker"


def _done(reason: str) -> Completion:
    return Completion(Outcome(Verdict.DONE, reason))

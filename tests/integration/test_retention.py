"""Retention removes what is old, keeps what must be kept, and the books balance after every batch."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement, Engine, Table, func, select, update

from receiver.clock import utc_now
from receiver.domain.batch_pace import BatchPace
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services import housekeeping, retention
from receiver.services.archive import ArchivingSweep, Target
from receiver.services.check import check_database
from receiver.services.holds import hold_incident, release_incident
from receiver.services.housekeeping import STANDING_JOB
from receiver.services.incidents import Deed
from receiver.services.intake import Intake
from receiver.services.reports.ask import Wish, report
from receiver.services.retention import Cutoffs, Sweep, cutoffs_now, prune, survey
from receiver.storage import database_clock, outbox
from receiver.storage.tables import (
    alert_episodes,
    approvals,
    deliveries,
    events,
    grafana_alerts,
    incidents,
    jobs,
)
from receiver.worker.loop import run_due
from tests.builders import bodies
from tests.builders.jobs import add, pass_time, request
from tests.builders.jobs import states as job_states
from tests.builders.kept import remediate, take_in
from tests.fixtures.runtimes import RuntimeFactory

LATER = utc_now() + timedelta(days=500)
ALL = Cutoffs(LATER, LATER, LATER, LATER)


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    """An open incident, a resolved one, a delivery of both, an orphan and a body that nobody understands."""
    made = make_runtime(engine)
    take_in(made)
    return made


def count(engine: Engine, table: Table, *conditions: ColumnElement[bool]) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()


def test_what_is_over_goes_and_what_is_open_stays_whole(runtime: Runtime) -> None:
    rows = prune(runtime.engine, ALL, has_broker=False)
    assert count(runtime.engine, incidents) == 1
    assert count(runtime.engine, grafana_alerts) == 1
    # The open incident's delivery stays as it came, and says what became of its other alert.
    with runtime.engine.connect() as connection:
        left = connection.execute(select(deliveries)).mappings().one()
    assert (left["alerts_received"], left["alerts_pruned"]) == (2, 1)
    assert len(left["body"]) == left["body_bytes"]
    assert rows["incidents"] == 1 and rows["grafana_alerts"] == 4 and rows["deliveries"] == 4
    assert count(runtime.engine, events, events.c.incident_id.is_not(None)) > 0
    assert check_database(runtime.engine).is_clean


def test_the_books_balance_after_every_batch(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BatchPace", lambda: BatchPace(most=1, least=1))
    batches = 0
    life_time = None
    for _ in Sweep(runtime.engine, ALL, has_broker=False).steps():
        batches += 1
        assert check_database(runtime.engine).is_clean
        with runtime.engine.connect() as connection:
            over = connection.execute(
                select(incidents.c.alert_count, incidents.c.alerts_pruned).where(
                    incidents.c.status == "resolved"
                )
            ).first()
        if over is not None and over.alerts_pruned:
            life_time = over.alert_count
    assert batches > 8
    assert life_time == 3


def test_nothing_goes_before_its_time_and_a_survey_changes_nothing(runtime: Runtime) -> None:
    past = utc_now() - timedelta(days=1)
    assert prune(runtime.engine, Cutoffs(past, past, past, past), has_broker=False).total() == 0
    add(runtime.engine, request("done"), request("to be done"))
    with runtime.engine.begin() as connection:
        done = update(jobs).where(jobs.c.idempotency_key == "done")
        connection.execute(done.values(state="done", finished_at=utc_now()))
    assert survey(runtime.engine, ALL) == {"bodies": 4, "grafana_alerts": 1, "incidents": 1, "jobs": 1}
    assert count(runtime.engine, grafana_alerts) == 5


def test_the_delivery_of_a_held_incident_keeps_its_body(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        over = connection.execute(
            select(incidents.c.incident_id).where(incidents.c.status == "resolved")
        ).scalar_one()
    hold_incident(runtime.engine, over, Deed("ann", new_trace_id(), "the audit"))
    prune(runtime.engine, ALL, has_broker=False)
    # Three brought alerts of it; one of these brought one of the open incident too.
    assert count(runtime.engine, deliveries) == 3
    assert count(runtime.engine, deliveries, deliveries.c.body == b"") == 0


def test_actions_go_with_their_approvals(runtime: Runtime) -> None:
    remediate(runtime)
    rows = prune(runtime.engine, ALL, has_broker=False)
    assert (rows["remediation_actions"], rows["approvals"], rows["notifications"]) == (1, 1, 1)
    assert count(runtime.engine, approvals) == 0


@pytest.mark.parametrize("archives", [False, True])
def test_reports_go_on_telling_of_what_was_removed_before_anybody_counted_it(
    runtime: Runtime, tmp_path: Path, archives: bool
) -> None:
    target = Target(tmp_path, removes=True)
    for _ in (
        ArchivingSweep(runtime.engine, ALL, target, has_broker=False)
        if archives
        else Sweep(runtime.engine, ALL, has_broker=False)
    ).steps():
        pass
    assert count(runtime.engine, grafana_alerts) == 1

    def first_section(name: str) -> list[tuple[object, ...]]:
        found = report(runtime.engine, name, Wish("1d"), utc_now())
        return [
            tuple(row) for one in found.sections if one.name in ("dispositions", "all") for row in one.rows
        ]

    assert first_section("volume")[-1][:2] == ("all", 5)
    assert first_section("incidents")[0][0] == 2


@pytest.mark.parametrize("whose", ["the worker's", "the database's"])
def test_one_clock_that_is_ahead_makes_nothing_old(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    settings = replace(
        runtime.settings, keep_bodies_days=1, keep_alerts_days=1, keep_incidents_days=1, keep_jobs_days=1
    )
    if whose == "the database's":
        monkeypatch.setattr(database_clock, "now", lambda connection: LATER)
    cutoffs = cutoffs_now(runtime.engine, settings, utc_now if whose == "the database's" else lambda: LATER)
    assert prune(runtime.engine, cutoffs, has_broker=False).total() == 0
    assert cutoffs.incidents < utc_now()


def test_a_body_is_emptied_and_its_length_stays(runtime: Runtime) -> None:
    past = utc_now() - timedelta(days=1)
    assert prune(runtime.engine, Cutoffs(LATER, past, past, past), has_broker=False) == {"bodies": 4}
    assert count(runtime.engine, deliveries, deliveries.c.body == b"", deliveries.c.body_bytes > 0) == 4
    assert check_database(runtime.engine).is_clean


def test_a_held_incident_stays_until_it_is_released(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        over = connection.execute(
            select(incidents.c.incident_id).where(incidents.c.status == "resolved")
        ).scalar_one()
    held = hold_incident(runtime.engine, over, Deed("ann", new_trace_id(), "the audit"))
    assert held["incident_id"] == over and held["held"]["reason"] == "the audit"
    prune(runtime.engine, ALL, has_broker=False)
    assert count(runtime.engine, grafana_alerts, grafana_alerts.c.incident_id == over) == 3
    assert release_incident(runtime.engine, over, Deed("ann", new_trace_id()))[0]
    prune(runtime.engine, ALL, has_broker=False)
    assert count(runtime.engine, incidents, incidents.c.incident_id == over) == 0


def test_what_the_broker_has_not_heard_yet_stays(runtime: Runtime) -> None:
    with runtime.engine.begin() as connection:
        outbox.set_start_mark(connection, 0)
    prune(runtime.engine, ALL, has_broker=True)
    assert count(runtime.engine, incidents) == 2


def test_an_incident_with_work_to_do_stays(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        over = connection.execute(
            select(incidents.c.incident_id).where(incidents.c.status == "resolved")
        ).scalar_one()
    add(runtime.engine, request("to-do", incident_id=over))
    prune(runtime.engine, ALL, has_broker=False)
    assert count(runtime.engine, incidents) == 2
    with runtime.engine.begin() as connection:
        connection.execute(update(jobs).values(state="dead"))
    prune(runtime.engine, ALL, has_broker=False)
    assert count(runtime.engine, incidents) == 1
    assert count(runtime.engine, jobs, jobs.c.incident_id == over) == 0


def test_the_housekeeping_job_waits_and_is_never_done(runtime: Runtime) -> None:
    for _ in range(2):
        housekeeping.stand_by(runtime)
    pass_time(runtime.engine, 400)
    handlers = {"housekeeping": housekeeping.HousekeepingHandler(runtime)}
    assert run_due(runtime, handlers=handlers, queues=["housekeeping"]) == 1
    assert job_states(runtime.engine)[STANDING_JOB.idempotency_key] == "ready"


def test_several_at_once_count_each_row_once(runtime: Runtime) -> None:
    intake = Intake(runtime)
    for number in range(20):
        pods = [bodies.alert("PodDown", pod=f"p{number}-{pod}", service=f"s{number % 4}") for pod in range(5)]
        over = [bodies.alert("Lost", status="resolved", pod=f"p{number}")]
        intake.accept(intake.read(bodies.alertmanager(pods + over), trace_id=new_trace_id()))
    with runtime.engine.begin() as connection:
        over_now = {"status": "resolved", "resolved_at": utc_now(), "firing_count": 0}
        connection.execute(update(incidents).where(incidents.c.status == "active").values(over_now))
        connection.execute(update(alert_episodes).values(status="resolved"))
        connection.execute(update(jobs).values(state="done", finished_at=utc_now()))
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(prune, runtime.engine, ALL, has_broker=False) for _ in range(3)]
        rows = sum((one.result() for one in found), Counter())
    # Twenty times six, and the five of the fixture.
    assert rows["grafana_alerts"] == 125
    assert count(runtime.engine, grafana_alerts) == count(runtime.engine, deliveries) == 0
    assert count(runtime.engine, incidents) == 0

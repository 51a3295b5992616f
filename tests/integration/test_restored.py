"""After a restore nothing that may have been done since the backup is done again, unless people say so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, insert, select, update

from receiver.clock import utc_now
from receiver.domain.action_state import ActionState
from receiver.domain.jobs import JobKind, JobRequest
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services import housekeeping, restored, rollup
from receiver.services.intake import Intake
from receiver.services.jobs import retry_jobs
from receiver.services.restored import running_worker, settle_restored
from receiver.storage.jobs import insert_many
from receiver.storage.tables import (
    approvals,
    audit_log,
    events,
    incidents,
    jobs,
    notifications,
    remediation_actions,
)
from receiver.worker.loop import Worker, run_due
from tests.builders import bodies
from tests.builders.cli import run as run_command
from tests.builders.jobs import add, request, states
from tests.fakes.slack import SlackServer
from tests.fixtures.runtimes import RuntimeFactory


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer) -> Runtime:
    """One incident, whose message is still to be sent."""
    made = make_runtime(engine, SLACK_WEBHOOK_URL=slack.url)
    intake = Intake(made)
    intake.accept(intake.read(bodies.alertmanager([bodies.alert()]), trace_id=new_trace_id()))
    with engine.begin() as connection:
        connection.execute(delete(jobs).where(jobs.c.kind != "notify"))
    return made


def incident_id(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(incidents.c.incident_id)).scalar_one())


def told(engine: Engine) -> list[Any]:
    """The events that the restore wrote."""
    query = select(events).where(events.c.actor == "receiver db restored").order_by(events.c.event_id)
    with engine.connect() as connection:
        return list(connection.execute(query))


def test_a_message_that_may_have_been_sent_waits_for_people(runtime: Runtime, slack: SlackServer) -> None:
    done = settle_restored(runtime.engine)
    assert done.jobs == {"notify-slack": 1}
    run_due(runtime)
    assert slack.messages() == []
    (event,) = told(runtime.engine)
    assert (event.type, event.incident_id) == ("incident.updated", incident_id(runtime.engine))
    assert [one["queue"] for one in event.payload["put_aside"]] == ["notify-slack"]
    retry_jobs(runtime.engine, None, all_dead=True)
    run_due(runtime)
    assert len(slack.messages()) == 1


def test_what_a_worker_had_in_hand_is_put_aside_too(runtime: Runtime) -> None:
    later = utc_now() + timedelta(hours=1)
    with runtime.engine.begin() as connection:
        values = {"state": "running", "lease_until": later, "lease_token": "t", "attempt": 1}
        connection.execute(update(jobs).values(values))
    settle_restored(runtime.engine)
    assert set(states(runtime.engine).values()) == {"dead"}


def test_all_kinds_wait_but_those_that_stand_by(runtime: Runtime) -> None:
    housekeeping.stand_by(runtime)
    kinds = [JobKind.REMEDIATE, JobKind.ESCALATE, JobKind.DIAGNOSE]
    with runtime.engine.begin() as connection:
        insert_many(connection, [JobRequest(kind, kind.value, f"{kind.value}:x") for kind in kinds])
        connection.execute(update(jobs).where(jobs.c.kind == "housekeeping").values(state="running"))
    done = settle_restored(runtime.engine)
    assert done.jobs == {"notify-slack": 1, "remediate": 1, "escalate": 1, "diagnose": 1}
    found = states(runtime.engine)
    assert {key for key, state in found.items() if state == "ready"} == {"housekeeping:standing"}


def test_it_tells_nobody_and_asks_no_rule(runtime: Runtime) -> None:
    before = len(states(runtime.engine))
    settle_restored(runtime.engine)
    assert len(states(runtime.engine)) == before
    with runtime.engine.connect() as connection:
        kinds = connection.execute(
            select(events.c.type).where(events.c.actor != "receiver db restored")
        ).scalars()
        assert "notification.failed" not in set(kinds)
        assert connection.execute(select(notifications.c.state)).scalars().all() == ["dead"]


def test_repeating_it_changes_nothing(runtime: Runtime) -> None:
    settle_restored(runtime.engine)

    def everything() -> list[list[Any]]:
        with runtime.engine.connect() as connection:
            tables = (jobs, events, incidents, remediation_actions, notifications, audit_log)
            return [[tuple(row) for row in connection.execute(select(table))] for table in tables]

    before = everything()
    assert settle_restored(runtime.engine).is_nothing
    assert everything() == before


def test_what_came_after_the_restore_goes_on(runtime: Runtime, slack: SlackServer) -> None:
    with runtime.engine.begin() as connection:
        connection.execute(update(jobs).values(created_at=utc_now() - timedelta(hours=2)))
    add(runtime.engine, request("new"))
    done = settle_restored(runtime.engine, utc_now() - timedelta(hours=1))
    assert done.jobs == {"notify-slack": 1}
    assert states(runtime.engine)["new"] == "ready"


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (ActionState.REQUESTED, ActionState.EXPIRED, "action.rejected"),
        (ActionState.AWAITING_APPROVAL, ActionState.EXPIRED, "action.rejected"),
        (ActionState.RUNNING, ActionState.UNKNOWN, "action.failed"),
        (ActionState.VERIFYING, ActionState.FAILED, "action.failed"),
        (ActionState.COMPLETED, ActionState.COMPLETED, None),
    ],
)
def test_an_action_that_may_have_run_runs_no_more(
    runtime: Runtime, before: ActionState, after: ActionState, kind: str | None
) -> None:
    over = incident_id(runtime.engine)
    with runtime.engine.begin() as connection:
        connection.execute(update(jobs).values(state="done"))
        action = {
            "action_id": "act-1",
            "incident_id": over,
            "ordinal": 1,
            "type": "kubernetes.scale",
            "target": "shop/web",
            "parameters": {},
            "options": {},
            "requested_by": "ann",
            "reason": "",
            "state": before.value,
            "is_dry_run": False,
            "requested_at": utc_now() - timedelta(minutes=1),
            "trace_id": new_trace_id(),
        }
        connection.execute(insert(remediation_actions), action)
        waiting = {"action_id": "act-1", "state": "pending", "requested_at": utc_now()}
        connection.execute(insert(approvals), waiting)
    done = settle_restored(runtime.engine)
    with runtime.engine.connect() as connection:
        row = connection.execute(select(remediation_actions)).one()
        approval = connection.execute(select(approvals.c.state)).scalar_one()
    assert row.state == after.value
    assert approval == ("expired" if before is ActionState.AWAITING_APPROVAL else "pending")
    assert [(event.type, event.action_id) for event in told(runtime.engine)] == (
        [(kind, "act-1")] if kind else []
    )
    assert done.actions == ({after.value: 1} if kind else {})


def test_event_ids_that_may_be_known_outside_are_left_out(
    mysql_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    intake = Intake(make_runtime(mysql_engine))

    def newest() -> int:
        intake.accept(
            intake.read(bodies.alertmanager([bodies.alert(service=new_trace_id())]), trace_id=new_trace_id())
        )
        with mysql_engine.connect() as connection:
            return int(connection.execute(select(func.max(events.c.event_id))).scalar_one())

    before = newest()
    settle_restored(mysql_engine)
    assert newest() > before + 900_000
    # A backup of a database that was restored before and had nothing to do: the counter it came with is not enough.
    settle_restored(mysql_engine)
    settle_restored(mysql_engine)
    assert newest() > before + 2_900_000
    with mysql_engine.connect() as connection:
        assert "restore" not in connection.execute(select(events.c.actor)).scalars().all()


def test_the_command_says_what_it_did_and_what_to_do(runtime: Runtime) -> None:
    settings = {"DATABASE_URL": runtime.engine.url.render_as_string(hide_password=False)}
    first = run_command(["db", "restored"], **settings)
    assert first.exit_code == 0, first.output
    assert "1 jobs are put aside: 1 notify-slack" in first.output
    assert "receiver jobs retry" in first.output
    assert "Nothing was under way" in run_command(["db", "restored"], **settings).output
    assert run_command(["db", "restored", "--before", "yesterday"], **settings).exit_code == 2
    with runtime.engine.connect() as connection:
        audited = connection.execute(
            select(audit_log.c.detail).where(audit_log.c.action == "database.restored")
        )
        assert json.dumps(audited.scalar_one()["jobs"]) == '{"notify-slack": 1}'


@pytest.mark.parametrize("moment", ["yesterday", "9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"])
def test_a_time_that_is_none_is_told_as_such(runtime: Runtime, moment: str) -> None:
    settings = {"DATABASE_URL": runtime.engine.url.render_as_string(hide_password=False)}
    wrong = run_command(["db", "restored", "--before", moment], **settings)
    assert wrong.exit_code == 2 and "2026-03-01T12:00:00Z" in wrong.output
    assert states(runtime.engine)  # and nothing was done
    assert told(runtime.engine) == []


def test_it_refuses_while_a_worker_runs(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup, "IDLE_SECONDS", 0.5)
    settings = {"DATABASE_URL": runtime.engine.url.render_as_string(hide_password=False)}
    rollup.stand_by(runtime)
    worker = Worker(runtime, queues=["rollup"])
    worker.start()
    try:
        refused = run_command(["db", "restored"], **settings)
    finally:
        worker.stop(10)
    assert refused.exit_code == 1 and worker.name in refused.output
    assert told(runtime.engine) == []
    monkeypatch.setattr(restored, "_SLOW_SECONDS", 0.0)
    done = run_command(["db", "restored"], **settings)
    assert done.exit_code == 0 and "1 jobs are put aside" in done.output


def test_a_backup_in_which_a_worker_was_at_work_is_no_running_worker(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored, "_WATCH_SECONDS", 0.5)
    rollup.stand_by(runtime)
    of_rollups = update(jobs).where(jobs.c.kind == "rollup")
    for lease in (timedelta(seconds=50), timedelta(seconds=-5), timedelta(hours=-1)):
        with runtime.engine.begin() as connection:
            connection.execute(of_rollups.values(state="running", lease_until=utc_now() + lease))
        assert running_worker(runtime.engine, 0.5) is None

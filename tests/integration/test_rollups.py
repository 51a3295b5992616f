"""The roll-ups behind the reports are right to the row, whenever rows commit and whatever retention removes."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from receiver.clock import utc_now
from receiver.domain.jobs import ClaimedJob
from receiver.domain.rollup import CHECK_AGES, OPEN_FOR
from receiver.ids import first_ulid, new_trace_id, new_ulid
from receiver.runtime import Runtime
from receiver.services import rollup
from receiver.services.holds import hold_incident
from receiver.services.incidents import Deed
from receiver.services.retention import Cutoffs, prune
from receiver.services.rollup import RollupHandler, catch_up, turn
from receiver.storage import rollups
from receiver.storage.tables import grafana_alerts, incidents, jobs, rollup_slices
from receiver.worker.loop import run_due
from tests.builders.jobs import pass_time
from tests.builders.rollups import (
    NOW,
    Past,
    by_day,
    late_alert,
    plain_alerts,
    plain_incidents,
    recorded_incidents,
    rolled_alerts,
    rolled_days,
)
from tests.fixtures.runtimes import RuntimeFactory


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    return make_runtime(engine)


class Watch:
    """A clock for the roll-up that a test moves on."""

    def __init__(self) -> None:
        self._ahead = timedelta(seconds=1)

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def pass_time(self, span: timedelta) -> None:
        self._ahead += span


def is_right(engine: Engine) -> bool:
    """Whether all roll-ups say what the plain queries say."""
    plain = plain_alerts(engine)
    assert rolled_alerts(engine) == plain
    assert rolled_days(engine) == by_day(plain)
    assert recorded_incidents(engine) == plain_incidents(engine)
    return True


def settle(engine: Engine, watch: Watch) -> None:
    """Let the time pass that it takes until nothing is looked at any more."""
    for age in (OPEN_FOR, *CHECK_AGES):
        watch.pass_time(age + timedelta(seconds=1))
        assert turn(engine, watch)


def test_all_that_is_stored_is_counted_once_however_often_the_job_runs(runtime: Runtime) -> None:
    past, watch = Past(runtime, seed=1), Watch()
    for _ in range(2):
        past.live(hours=4, deliveries_an_hour=3)
        assert turn(runtime.engine, watch)
        assert turn(runtime.engine, watch)
        assert is_right(runtime.engine)
    settle(runtime.engine, watch)
    assert is_right(runtime.engine)


def test_short_stretches_say_the_same_as_long_ones(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    past, watch, rows = Past(runtime, seed=8), Watch(), 4
    for stream in rollup.STREAMS:
        monkeypatch.setattr(type(stream), "rows", rows)
    past.live(hours=2, deliveries_an_hour=2)
    assert turn(runtime.engine, watch)
    past.live(hours=2, deliveries_an_hour=2)
    catch_up(runtime.engine, watch)
    assert is_right(runtime.engine)
    settle(runtime.engine, watch)
    assert is_right(runtime.engine)


def test_deliveries_that_lay_in_the_spool_are_counted_in_the_hour_in_which_they_came(
    runtime: Runtime,
) -> None:
    past, watch = Past(runtime, seed=2), Watch()
    past.live(hours=4, deliveries_an_hour=3)
    settle(runtime.engine, watch)
    past.replay(timedelta(hours=30), 5)
    past.replay(timedelta(hours=2), 5)
    assert turn(runtime.engine, watch)
    assert is_right(runtime.engine)


def test_rows_that_commit_after_later_ones_were_counted_are_counted(mysql_engine: Engine) -> None:
    watch = Watch()
    with mysql_engine.connect() as slow:
        late_alert(slow, new_ulid(), NOW, "slow")
        with mysql_engine.begin() as quick:
            late_alert(quick, new_ulid(), NOW, "quick")
        assert turn(mysql_engine, watch)
        assert [key[4] for key in rolled_alerts(mysql_engine)] == ["quick"]
        # Its stretch is closed meanwhile, and others have begun.
        watch.pass_time(OPEN_FOR + timedelta(seconds=1))
        assert turn(mysql_engine, watch)
        slow.commit()
    watch.pass_time(CHECK_AGES[0] + timedelta(seconds=1))
    assert turn(mysql_engine, watch)
    assert is_right(mysql_engine)


@pytest.mark.parametrize("age", [timedelta(minutes=10), timedelta(hours=24)])
def test_a_host_whose_clock_is_behind_is_counted_as_well(runtime: Runtime, age: timedelta) -> None:
    past, watch = Past(runtime, seed=3), Watch()
    past.live(hours=2, deliveries_an_hour=2)
    assert turn(runtime.engine, watch)
    with runtime.engine.connect() as connection:
        lowest = connection.execute(select(func.min(grafana_alerts.c.alert_id))).scalar_one()
    watch.pass_time(OPEN_FOR)
    assert turn(runtime.engine, watch)
    # What is written now has an id among those that were counted long ago.
    watch.pass_time(age)
    assert turn(runtime.engine, watch)
    with runtime.engine.begin() as connection:
        late_alert(connection, lowest[:-1] + "~", NOW)
    settle(runtime.engine, watch)
    assert is_right(runtime.engine)


def test_of_two_who_count_the_same_stretch_one_adds_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    past, watch = Past(runtime, seed=4), Watch()
    past.live(hours=2, deliveries_an_hour=3)
    write, nested = rollup._write, []

    def interrupted(*found: object) -> bool:
        if not nested:
            nested.append(True)  # another worker does it all, between our counting and our writing
            assert turn(runtime.engine, watch)
        return write(*found)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(rollup, "_write", interrupted)
    assert turn(runtime.engine, watch)
    assert nested and is_right(runtime.engine)


def test_what_retention_removes_stays_counted(runtime: Runtime) -> None:
    past, watch = Past(runtime, seed=5), Watch()
    past.live(hours=5, deliveries_an_hour=2)
    with runtime.engine.connect() as connection:
        held = connection.execute(select(func.min(incidents.c.incident_id))).scalar_one()
    hold_incident(runtime.engine, held, Deed("ada", new_trace_id(), "evidence"))
    catch_up(runtime.engine, watch)
    alerts, facts = plain_alerts(runtime.engine), plain_incidents(runtime.engine)
    with runtime.engine.begin() as connection:
        connection.execute(jobs.update().values(state="done", finished_at=utc_now()))
    later = utc_now() + timedelta(days=500)
    prune(runtime.engine, Cutoffs(later, later, later, later), has_broker=False)
    assert plain_alerts(runtime.engine) != alerts and held in plain_incidents(runtime.engine)
    for _ in range(2):
        assert rolled_alerts(runtime.engine) == alerts
        assert recorded_incidents(runtime.engine) == facts
        assert turn(runtime.engine, watch)
    # Life goes on in the hours that were pruned.
    before = plain_alerts(runtime.engine)
    past.replay(timedelta(hours=3), 4)
    assert turn(runtime.engine, watch)
    gained = plain_alerts(runtime.engine) - before
    assert gained and rolled_alerts(runtime.engine) == alerts + gained
    settle(runtime.engine, watch)
    assert rolled_alerts(runtime.engine) == alerts + gained


def test_what_is_settled_takes_no_room_and_is_told_as_counted(runtime: Runtime) -> None:
    past, watch = Past(runtime, seed=6), Watch()
    past.live(hours=2, deliveries_an_hour=2)
    assert turn(runtime.engine, watch)
    settle(runtime.engine, watch)
    with runtime.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(rollup_slices)).scalar_one() == 2
        newest = connection.execute(select(func.max(grafana_alerts.c.alert_id))).scalar_one()
        counted = rollups.newest(connection, rollups.ALERTS)
        assert counted and newest < counted.until_id <= first_ulid(watch())
        assert rollups.last_look(connection) is not None


def test_the_worker_counts_by_a_standing_job(runtime: Runtime) -> None:
    past = Past(runtime, seed=7)
    rollup.stand_by(runtime)
    rollup.stand_by(runtime)
    past.live(hours=1, deliveries_an_hour=3)
    time.sleep(0.002)  # an id of this very millisecond is counted at the next turn
    run_due(runtime, queues=["rollup"])
    assert is_right(runtime.engine)
    past.live(hours=1, deliveries_an_hour=3)
    time.sleep(0.002)
    pass_time(runtime.engine, 60)
    run_due(runtime, queues=["rollup"])
    assert is_right(runtime.engine)


def test_it_rests_longer_than_it_works_unless_reports_would_be_late(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in rollup.STREAMS:
        monkeypatch.setattr(type(stream), "rows", 2)
    watch = Watch()
    handler = RollupHandler(replace(runtime, clock=watch))
    job = ClaimedJob(1, "rollup", "rollup", "rollup:standing", {}, None, 1, 9, new_trace_id(), "token")
    past = Past(runtime, seed=9)

    def count(seconds: float) -> tuple[str, float]:
        for limit in ("BITE_SECONDS", "ATTEMPT_SECONDS"):
            monkeypatch.setattr(rollup, limit, seconds)
        outcome = handler.run(job).outcome
        return outcome.reason, outcome.delay_seconds

    past.live(hours=1, deliveries_an_hour=3)
    assert count(0) == ("there is more to count", 0)  # nothing was ever counted
    assert count(60) == ("all is counted", rollup.IDLE_SECONDS)
    past.live(hours=1, deliveries_an_hour=3)
    watch.pass_time(timedelta(minutes=1))
    monkeypatch.setattr(rollup, "RESTS", 1e6)
    reason, rest_seconds = count(0)
    assert reason == "there is more to count" and rest_seconds > rollup.IDLE_SECONDS
    watch.pass_time(rollup.LATE)
    assert count(0) == ("there is more to count", 0)
    assert count(60)[0] == "all is counted"
    assert is_right(runtime.engine)

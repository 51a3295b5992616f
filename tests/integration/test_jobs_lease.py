"""What a lease is worth: it is renewed by name, it ends by the database's clock, and it fences what is written."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from receiver import clock
from receiver.domain.jobs import JobState, Outcome, Verdict
from receiver.errors import LeaseLost
from receiver.services.job_handler import Completion
from receiver.storage import leases
from receiver.worker import reaper
from receiver.worker.dispatcher import claim
from receiver.worker.lease import Heartbeat, Leases
from receiver.worker.reaper import Reaper, reap
from receiver.worker.recorder import record
from tests.builders.jobs import QUEUE, add, pass_time, request, row, states
from tests.fakes.handlers import DONE, Probe

HANDLERS = Probe().handlers


@pytest.fixture
def claimed(engine):
    """One job, claimed for a minute."""
    add(engine, request())
    (job,) = claim(engine, QUEUE, 1, 60, "first")
    return job


def test_a_finished_job_is_done_and_stays_done(engine, claimed):
    record(engine, HANDLERS, claimed, DONE)
    assert (row(engine)["state"], row(engine)["lease_until"]) == ("done", None)
    assert row(engine)["finished_at"] is not None
    pass_time(engine, 3600)
    reap(engine, HANDLERS)
    assert claim(engine, QUEUE, 1, 60, "w") == []


def test_a_valid_lease_is_respected(engine, claimed):
    pass_time(engine, 50)
    assert reap(engine, HANDLERS) == 0
    assert claim(engine, QUEUE, 1, 60, "second") == []


def test_an_expired_lease_gives_the_job_to_another_worker_and_the_late_end_is_refused(engine, claimed):
    pass_time(engine, 61)
    assert reap(engine, HANDLERS) == 1
    (again,) = claim(engine, QUEUE, 1, 60, "second")
    assert again.attempt == 2
    written = []
    late = Completion(DONE.outcome, written.append)
    with pytest.raises(LeaseLost):
        record(engine, HANDLERS, claimed, late)
    assert written == []  # nothing of what goes with the end is written either
    assert (row(engine)["state"], row(engine)["worker"]) == ("running", "second")
    record(engine, HANDLERS, again, DONE)
    assert row(engine)["state"] == "done"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_no_kind_of_end_gets_past_the_fence(engine, claimed, verdict):
    pass_time(engine, 61)
    reap(engine, HANDLERS)
    before = row(engine)
    with pytest.raises(LeaseLost):
        record(engine, HANDLERS, claimed, Completion(Outcome(verdict, "late", 1.0)))
    assert row(engine) == before


def test_an_end_whose_commit_was_not_answered_is_known_again(engine, claimed):
    record(engine, HANDLERS, claimed, DONE)
    with engine.begin() as connection:
        assert leases.is_recorded(connection, claimed)


def test_a_job_that_was_taken_away_does_not_look_recorded(engine, claimed):
    pass_time(engine, 61)
    reap(engine, HANDLERS)
    with engine.begin() as connection:
        assert not leases.is_recorded(connection, claimed)


def test_many_ends_are_all_written_or_none(engine, claimed):
    add(engine, request("other"))
    (other,) = claim(engine, QUEUE, 1, 60, "first")
    pass_time(engine, 61)
    reap(engine, HANDLERS)
    (stolen,) = claim(engine, QUEUE, 1, 60, "second")
    (mine,) = claim(engine, QUEUE, 1, 60, "first")
    lost = claimed if stolen.job_id == claimed.job_id else other
    with pytest.raises(LeaseLost), engine.begin() as connection:
        leases.finish_many(connection, [lost, mine])
    assert set(states(engine).values()) == {"running"}
    with engine.begin() as connection:
        leases.finish_many(connection, [stolen, mine])
    assert set(states(engine).values()) == {"done"}


def test_a_lost_claim_cannot_end_a_later_claim_of_the_same_worker(engine, claimed):
    add(engine, request("other"))
    pass_time(engine, 61)
    reap(engine, HANDLERS)
    both = claim(engine, QUEUE, 2, 60, "first")
    other = next(job for job in both if job.job_id != claimed.job_id)
    with pytest.raises(LeaseLost), engine.begin() as connection:
        leases.finish_many(connection, [claimed, other])


def test_a_heartbeat_keeps_a_long_job(engine, claimed):
    held = Leases(60)
    held.confirm([claimed], 0.0)
    for _ in range(5):
        pass_time(engine, 50)
        Heartbeat(engine, held).beat()
    assert reap(engine, HANDLERS) == 0
    record(engine, HANDLERS, claimed, DONE)
    assert row(engine)["state"] == "done"


def test_a_heartbeat_names_its_jobs_so_that_a_forgotten_one_is_not_kept_alive(engine, claimed):
    add(engine, request("forgotten"))
    claim(engine, QUEUE, 1, 60, "first")  # the same worker, but it does not know of it
    held = Leases(60)
    held.confirm([claimed], 0.0)
    pass_time(engine, 50)
    Heartbeat(engine, held).beat()
    pass_time(engine, 50)
    assert reap(engine, HANDLERS) == 1
    assert states(engine) == {"k": "running", "forgotten": "ready"}


def test_a_heartbeat_does_not_revive_an_expired_lease(engine, claimed):
    held = Leases(60)
    held.confirm([claimed], 0.0)
    pass_time(engine, 61)
    Heartbeat(engine, held).beat()
    assert held.held() == []
    assert reap(engine, HANDLERS) == 1


def test_reaping_twice_changes_nothing_more(engine, claimed):
    pass_time(engine, 61)
    assert reap(engine, HANDLERS) == 1
    before = row(engine)
    assert (before["state"], before["attempt"]) == ("ready", 1)
    assert "did not come back" in before["last_error"]
    assert reap(engine, HANDLERS) == 0
    assert row(engine) == before


def test_a_job_that_kills_every_worker_ends_as_a_dead_letter(engine):
    probe = Probe()
    add(engine, request(max_attempts=2))
    for _ in range(2):
        claim(engine, QUEUE, 1, 60, "w")
        pass_time(engine, 61)
        reap(engine, probe.handlers)
    assert row(engine)["state"] == "dead"
    assert row(engine)["last_error"].startswith("gave up after 2 attempts")
    assert probe.buried == [(row(engine)["job_id"], row(engine)["last_error"])]


def test_jobs_of_a_kind_that_is_not_known_here_are_left_to_those_who_know_it(engine, claimed):
    pass_time(engine, 61)
    assert reap(engine, {"another": Probe()}) == 0
    assert row(engine)["state"] == "running"


def test_a_released_job_is_due_again_and_has_lost_no_attempt(engine, claimed):
    with engine.begin() as connection:
        leases.release(connection, [claimed])
        leases.release(connection, [])
    assert (row(engine)["state"], row(engine)["attempt"]) == ("ready", 0)
    (again,) = claim(engine, QUEUE, 1, 60, "second")
    assert again.attempt == 1
    with engine.begin() as connection:
        leases.release(connection, [claimed])  # too late: it is another's
    assert row(engine)["worker"] == "second"
    assert row(engine)["state"] == "running"


def test_an_unknown_outcome_can_be_left_to_people(engine, claimed):
    with engine.begin() as connection:
        leases.finish(connection, claimed, JobState.UNKNOWN, "it may have run")
    pass_time(engine, 3600)
    assert reap(engine, HANDLERS) == 0
    assert (row(engine)["state"], row(engine)["last_error"]) == ("unknown", "it may have run")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_host_whose_clock_is_an_hour_off_neither_rushes_nor_steals(engine, monkeypatch, hours):
    off = timedelta(hours=hours)
    monkeypatch.setattr(clock, "utc_now", lambda: datetime.now(UTC) + off)
    right_time = time.time
    monkeypatch.setattr(time, "time", lambda: right_time() + off.total_seconds())
    add(engine, request("now"), request("later", delay_seconds=60))
    (job,) = claim(engine, QUEUE, 5, 60, "w")
    assert job.idempotency_key == "now"
    assert reap(engine, HANDLERS) == 0
    record(engine, HANDLERS, job, Completion(Outcome(Verdict.RETRY, "again", 30.0)))
    assert claim(engine, QUEUE, 5, 60, "w") == []
    pass_time(engine, 31)
    assert [job.idempotency_key for job in claim(engine, QUEUE, 5, 60, "w")] == ["now"]


def test_after_an_outage_those_who_are_alive_record_their_ends_before_their_leases_are_taken(
    engine, claimed, monkeypatch
):
    monkeypatch.setattr(reaper, "REAP_SECONDS", 0.05)
    pass_time(engine, 61)
    away, refused = threading.Event(), threading.Event()
    away.set()

    def refuse(connection: object) -> None:
        if away.is_set() and threading.current_thread().name == "reaper":
            refused.set()
            raise OperationalError("BEGIN", {}, Exception("away"))

    event.listen(engine, "begin", refuse)
    one = Reaper(engine, HANDLERS)
    one.start()
    try:
        assert refused.wait(10)
        away.clear()
        time.sleep(0.3)  # several of its looks
        record(engine, HANDLERS, claimed, DONE)
        assert row(engine)["state"] == "done"
    finally:
        one.stop()
        event.remove(engine, "begin", refuse)

"""One attempt after the other: what a handler returns or raises, and what stands in the table afterwards."""

from __future__ import annotations

import logging
import threading

import pymysql
import pytest
from sqlalchemy.exc import DataError, OperationalError

from receiver import metrics
from receiver.domain.jobs import Outcome, Verdict
from receiver.domain.retry import Backoff
from receiver.errors import DeliveryFailed, StorageUnavailable
from receiver.services.job_handler import Completion
from receiver.services.transaction import transact
from receiver.storage import jobs as job_rows
from receiver.storage.engine import DUPLICATE_CODE
from receiver.worker.dispatcher import claim
from receiver.worker.loop import run_due
from receiver.worker.recorder import settle
from tests.builders.jobs import QUEUE, add, pass_time, request, row, rows, states
from tests.fakes.handlers import DONE, Probe

QUICK = Backoff(base_seconds=0.0)
FIRST_WAIT_AT_MOST = Backoff().base_seconds


@pytest.fixture
def run(engine, make_runtime):
    """Runs everything that is due through a probe; returns the number of attempts."""
    runtime = make_runtime(engine)

    def run(probe, backoff=None):
        options = {} if backoff is None else {"backoff": backoff}
        return run_due(runtime, handlers=probe.handlers, queues=[QUEUE], **options)

    return run


def fail(failure):
    def act(job):
        raise failure

    return act


def count(kind, outcome):
    return metrics.JOBS.labels(kind, outcome)._value.get()


def test_what_is_due_is_done_once(engine, run):
    add(engine, request("a"), request("b"), request("later", delay_seconds=60))
    probe = Probe()
    before = count("notify", "done")
    assert run(probe) == 2
    assert run(probe) == 0
    assert probe.keys == ["a", "b"]
    assert states(engine) == {"a": "done", "b": "done", "later": "ready"}
    assert count("notify", "done") - before == 2


def test_what_a_handler_writes_is_committed_with_the_end_of_its_job(engine, run):
    def act(job):
        def write(connection):
            job_rows.insert_once(connection, [request("follow-up", delay_seconds=60)])

        return Completion(Outcome(Verdict.DONE), write)

    add(engine, request())
    run(Probe(act))
    assert states(engine) == {"k": "done", "follow-up": "ready"}


def test_a_transient_failure_is_tried_again_until_it_works(engine, run):
    def act(job):
        if job.attempt < 3:
            raise DeliveryFailed("HTTP 503")

    add(engine, request())
    assert run(Probe(act), QUICK) == 3
    assert (row(engine)["state"], row(engine)["attempt"], row(engine)["last_error"]) == ("done", 3, None)


def test_a_failed_attempt_waits_and_remembers_why(engine, run):
    add(engine, request())
    run(Probe(fail(DeliveryFailed("HTTP 503", retry_after_seconds=120))))
    found = row(engine)
    assert (found["state"], found["attempt"], found["last_error"]) == ("ready", 1, "HTTP 503")
    assert 120 <= (found["run_at"] - found["created_at"]).total_seconds() < 120 + FIRST_WAIT_AT_MOST + 10


def test_nobody_is_asked_again_before_the_time_it_asked_for(engine, run):
    probe = Probe(fail(DeliveryFailed("HTTP 429", retry_after_seconds=120)))
    add(engine, request())
    run(probe)
    pass_time(engine, 119)
    assert run(probe) == 0
    pass_time(engine, 1 + FIRST_WAIT_AT_MOST)
    assert run(probe) == 1


def test_a_permanent_failure_is_dead_at_once_with_its_reason(engine, run):
    add(engine, request())
    probe = Probe(fail(DeliveryFailed("channel_not_found", permanent=True)))
    assert run(probe) == 1
    found = row(engine)
    assert (found["state"], found["last_error"]) == ("dead", "channel_not_found")
    assert probe.buried == [(found["job_id"], "channel_not_found")]
    pass_time(engine, 3600)
    assert run(probe) == 0


def test_the_last_attempt_makes_a_dead_letter(engine, run):
    add(engine, request(max_attempts=4))
    probe = Probe(fail(DeliveryFailed("HTTP 500")))
    assert run(probe, QUICK) == 4
    assert row(engine)["state"] == "dead"
    assert row(engine)["last_error"] == "gave up after 4 attempts: HTTP 500"
    assert len(probe.buried) == 1


def test_waiting_costs_no_attempt(engine, run):
    add(engine, request(max_attempts=1))
    probe = Probe(lambda job: Completion(Outcome(Verdict.WAIT, "too early", 60)))
    for _ in range(3):
        assert run(probe) == 1
        assert (row(engine)["state"], row(engine)["attempt"]) == ("ready", 0)
        pass_time(engine, 60)


def test_a_bug_is_an_attempt_and_its_text_stays_inside(engine, run, caplog):
    add(engine, request(max_attempts=2))
    with caplog.at_level(logging.DEBUG):
        assert run(Probe(fail(KeyError("xoxb-secret"))), QUICK) == 2
    found = row(engine)
    assert found["state"] == "dead"
    assert found["last_error"].startswith(
        "gave up after 2 attempts: unexpected KeyError at test_worker_attempts.py:"
    )
    assert "secret" not in found["last_error"]
    assert "job.bug" in caplog.messages


def refused(code: int) -> OperationalError:
    return OperationalError("SELECT", {}, pymysql.OperationalError(code, "no"))


# 1053: it is being shut down. 1205: somebody holds a row.
@pytest.mark.parametrize("away", [StorageUnavailable("no"), refused(2003), refused(1053), refused(1205)])
def test_a_database_that_is_away_costs_no_attempt(engine, run, away):
    add(engine, request(max_attempts=1))
    assert run(Probe(fail(away))) == 1
    assert (row(engine)["state"], row(engine)["attempt"]) == ("ready", 0)


def test_rows_that_always_stand_against_it_are_no_reason_to_wait_for_ever(engine, run):
    def act(job):
        raise StorageUnavailable("again and again") from refused(DUPLICATE_CODE)

    add(engine, request(max_attempts=2))
    run(Probe(act))
    assert (row(engine)["state"], row(engine)["attempt"]) == ("ready", 1)


def test_a_kind_that_is_not_known_here_waits_for_a_worker_that_knows_it(engine, make_runtime):
    add(engine, request(max_attempts=1))
    assert run_due(make_runtime(engine), handlers={}, queues=[QUEUE]) == 1
    assert (row(engine)["state"], row(engine)["attempt"]) == ("ready", 0)


def test_a_queue_that_is_not_served_here_is_left_alone(engine, make_runtime):
    add(engine, request(queue="notify-elsewhere"), request("mine", queue="notify-slack"))
    runtime = make_runtime(engine, SLACK_WEBHOOK_URL="http://127.0.0.1:1/x")
    assert run_due(runtime, handlers=Probe().handlers) == 1
    assert states(engine) == {"k": "ready", "mine": "done"}


def test_a_deed_whose_record_cannot_be_written_is_not_repeated(engine, run):
    def write(connection):
        raise DataError("INSERT", {"secret": 1}, ValueError("xoxb-secret"))

    add(engine, request())
    probe = Probe(lambda job: Completion(Outcome(Verdict.DONE), write))
    assert run(probe, QUICK) == 1
    assert row(engine)["state"] == "dead"
    assert row(engine)["last_error"].startswith("its end could not be recorded: unexpected DataError at")
    assert probe.buried == [(row(engine)["job_id"], row(engine)["last_error"])]


@pytest.mark.parametrize("code", [1290, 1205, 1047])
def test_a_deed_is_not_given_up_while_the_database_says_not_now(engine, run, monkeypatch, code):
    monkeypatch.setattr("receiver.worker.recorder.LONGEST_PAUSE_SECONDS", 0.0)
    refusals, most = 0, 1100  # with the pauses of earnest one and a half hours

    def transact_later(*args):
        nonlocal refusals
        if refusals < most:
            refusals += 1
            raise StorageUnavailable("not now") from OperationalError(
                "UPDATE", {}, pymysql.err.OperationalError(code, "not now")
            )
        return transact(*args)

    monkeypatch.setattr("receiver.worker.recorder.transact", transact_later)
    add(engine, request())
    assert run(Probe(), QUICK) == 1
    assert (refusals, row(engine)["state"]) == (most, "done")


def test_a_deed_is_given_up_when_other_rows_stand_against_its_record(engine, run, monkeypatch):
    monkeypatch.setattr("receiver.worker.recorder.LONGEST_PAUSE_SECONDS", 0.01)

    def write(connection):
        raise StorageUnavailable("again and again") from OperationalError(
            "INSERT", {}, pymysql.err.IntegrityError(DUPLICATE_CODE, "duplicate")
        )

    add(engine, request())
    assert run(Probe(lambda job: Completion(Outcome(Verdict.DONE), write)), QUICK) == 1
    assert row(engine)["state"] == "dead"


def test_a_dead_letter_is_kept_even_if_its_burial_fails(engine, run):
    class Clumsy(Probe):
        def bury(self, connection, job, reason):
            raise KeyError("a bug there")

    add(engine, request())
    run(Clumsy(fail(DeliveryFailed("no", permanent=True))))
    assert row(engine)["state"] == "dead"


def test_a_record_whose_commit_was_not_answered_is_written_once(mysql_engine, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    add(mysql_engine, request())
    (job,) = claim(mysql_engine, QUEUE, 1, 60, "w")
    commit, lost = mysql_engine.dialect.do_commit, []

    def commit_and_hang_up(connection):
        commit(connection)
        if not lost:
            lost.append(1)
            raise pymysql.OperationalError(2013, "Lost connection during query")

    monkeypatch.setattr(mysql_engine.dialect, "do_commit", commit_and_hang_up)
    write = lambda connection: job_rows.insert_many(connection, [request("follow-up")])  # noqa: E731 - one line
    settle(mysql_engine, {}, [(job, Completion(DONE.outcome, write))], threading.Event())
    assert lost
    assert "job.done" in caplog.messages
    assert "lease.lost" not in caplog.messages
    assert states(mysql_engine) == {"k": "done", "follow-up": "ready"}


def test_plain_ends_share_one_transaction(engine):
    add(engine, *[request(f"k{number}") for number in range(20)])
    claimed = claim(engine, QUEUE, 20, 60, "w")
    settle(engine, {}, [(job, DONE) for job in claimed], threading.Event())
    finished = {one["finished_at"] for one in rows(engine)}
    assert len(finished) == 1
    assert set(states(engine).values()) == {"done"}


def test_one_lost_lease_does_not_cost_the_others_their_end(engine):
    add(engine, *[request(f"k{number}") for number in range(3)])
    stolen, *mine = claim(engine, QUEUE, 3, 60, "w")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET lease_token = 'another' WHERE job_id = {stolen.job_id}")
    settle(engine, {}, [(job, DONE) for job in (stolen, *mine)], threading.Event())
    assert states(engine) == {"k0": "running", "k1": "done", "k2": "done"}

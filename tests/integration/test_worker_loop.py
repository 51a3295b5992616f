"""The whole worker in one process: it finds work, keeps its queues apart, and ends in good order."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pymysql
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from receiver.domain.jobs import JobState
from receiver.domain.retry import Backoff
from receiver.errors import DeliveryFailed, StorageUnavailable
from receiver.storage.engine import create_engine
from receiver.worker.dispatcher import claim
from receiver.worker.loop import Worker
from tests.builders.jobs import QUEUE, add, pass_time, request, row, rows, states
from tests.fakes.handlers import Probe
from tests.fakes.polling import wait_until
from tests.fakes.relay import Relay

SETTINGS = {"WORKER_THREADS": "2", "WORKER_POLL_SECONDS": "0.1", "WORKER_LEASE_SECONDS": "60"}


@pytest.fixture
def working(engine, make_runtime):
    """A worker that runs while the block lasts, and must be idle at its end."""

    @contextmanager
    def working(probe, *, queues=(QUEUE,), drain=10.0, **settings):
        runtime = make_runtime(engine, **(SETTINGS | settings))
        worker = Worker(runtime, handlers=probe.handlers, queues=queues, backoff=Backoff(base_seconds=0.01))
        worker.start()
        try:
            yield worker
        finally:
            drained = worker.stop(drain)
        assert drained

    return working


@pytest.fixture
def gate():
    """Jobs that wait for it go on when it is set; it is set after the test in any case."""
    gate = threading.Event()
    yield gate
    gate.set()


def all_done(engine):
    return set(states(engine).values()) == {"done"}


def test_a_job_that_comes_while_the_worker_is_idle_is_done(engine, working):
    probe = Probe()
    with working(probe):
        add(engine, request())
        wait_until(lambda: all_done(engine))
    assert probe.keys == ["k"]


def test_a_delayed_job_is_done_when_it_is_due_and_not_before(engine, working):
    probe = Probe()
    add(engine, request("later", delay_seconds=3600), request("now"))
    with working(probe):
        wait_until(lambda: states(engine)["now"] == "done")
        assert probe.keys == ["now"]
        pass_time(engine, 3600)
        wait_until(lambda: all_done(engine))


def test_every_job_of_a_flood_is_done_exactly_once_by_several_workers(engine, working):
    probe = Probe()
    names = [f"k{number}" for number in range(300)]
    with working(probe), working(probe), working(probe):
        add(engine, *map(request, names))
        wait_until(lambda: all_done(engine), timeout=60)
    assert sorted(probe.keys) == sorted(names)


def test_a_failed_job_is_tried_again_by_the_running_worker(engine, working):
    def act(job):
        if job.attempt < 3:
            raise DeliveryFailed("HTTP 503")

    add(engine, request())
    with working(Probe(act)):
        wait_until(lambda: all_done(engine))
    assert row(engine)["attempt"] == 3


def test_a_queue_that_hangs_holds_up_no_other(engine, working, gate):
    def act(job):
        if job.queue == "slow":
            gate.wait(30)

    add(engine, *[request(f"slow{number}", queue="slow") for number in range(10)])
    probe = Probe(act)
    with working(probe, queues=("slow", "quick")):
        wait_until(lambda: len(probe.keys) == 2)  # both threads of the slow queue hang
        add(engine, *[request(f"quick{number}", queue="quick") for number in range(10)])
        wait_until(lambda: sum(state == "done" for state in states(engine).values()) == 10)
        done = {key for key, state in states(engine).items() if state == "done"}
        assert done == {f"quick{number}" for number in range(10)}
        assert len(probe.keys) == 12
        gate.set()
        wait_until(lambda: all_done(engine))


def test_a_worker_claims_no_more_than_it_can_start(engine, working, gate):
    probe = Probe(lambda job: gate.wait(30) and None)
    add(engine, *[request(f"k{number}") for number in range(6)])
    with working(probe):
        wait_until(lambda: len(probe.keys) == 2)
        assert sorted(states(engine).values()) == ["ready"] * 4 + ["running"] * 2
        gate.set()
        wait_until(lambda: all_done(engine))


def test_jobs_taken_ahead_go_back_when_those_before_them_hang(engine, working, gate):
    def act(job):
        if job.idempotency_key.startswith("hangs"):
            gate.wait(60)

    probe = Probe(act)
    with working(probe):
        add(engine, *[request(f"quick{number}") for number in range(200)])
        wait_until(lambda: all_done(engine), timeout=30)  # the worker has learned that they are quick
        add(engine, *[request(f"hangs{number}") for number in range(20)])
        wait_until(lambda: probe.keys[-1].startswith("hangs"))
        wait_until(lambda: sorted(set(states(engine).values())) == ["done", "ready", "running"])
        wait_until(lambda: list(states(engine).values()).count("running") == 2)
        released = [one for one in rows(engine) if one["state"] == JobState.READY]
        assert {one["attempt"] for one in released} == {0}
        gate.set()
        wait_until(lambda: all_done(engine))


def test_a_queue_that_is_told_to_come_later_keeps_silent_and_others_do_not(engine, working):
    def act(job):
        if job.queue == QUEUE:
            raise DeliveryFailed("HTTP 429", retry_after_seconds=3600)

    probe = Probe(act)
    with working(probe, queues=(QUEUE, "other"), WORKER_THREADS="1"):
        add(engine, request("first"))
        wait_until(lambda: row(engine, "first")["last_error"] == "HTTP 429")
        add(engine, *[request(f"k{number}") for number in range(5)])
        for number in range(3):  # each of them means that the worker has looked again
            add(engine, request(f"other{number}", queue="other"))
            wait_until(lambda: states(engine)[f"other{number}"] == "done")  # noqa: B023 - called at once
    assert probe.keys == ["first", "other0", "other1", "other2"]


def test_a_stopping_worker_lets_its_jobs_end_and_takes_no_others(engine, make_runtime, gate):
    probe = Probe(lambda job: gate.wait(30) and None)
    worker = Worker(make_runtime(engine, **SETTINGS), handlers=probe.handlers, queues=(QUEUE,))
    worker.start()
    add(engine, *[request(f"k{number}") for number in range(5)])
    wait_until(lambda: len(probe.keys) == 2)
    stopping = threading.Thread(target=worker.stop, args=(30.0,))
    stopping.start()
    add(engine, request("too late"))
    gate.set()
    stopping.join(30)
    found = rows(engine)
    assert {one["idempotency_key"] for one in found if one["state"] == JobState.DONE} == set(probe.keys)
    assert [one["attempt"] for one in found if one["state"] == JobState.READY] == [0] * 4


def test_a_worker_whose_jobs_do_not_end_stops_all_the_same_and_loses_none(engine, make_runtime, gate):
    probe = Probe(lambda job: gate.wait(30) and None)
    worker = Worker(make_runtime(engine, **SETTINGS), handlers=probe.handlers, queues=(QUEUE,))
    worker.start()
    add(engine, request())
    wait_until(lambda: len(probe.keys) == 1)
    assert not worker.stop(1.0)
    assert row(engine)["state"] == "running"
    pass_time(engine, 61)
    other = Probe()
    replacement = Worker(make_runtime(engine, **SETTINGS), handlers=other.handlers, queues=(QUEUE,))
    replacement.start()
    wait_until(lambda: all_done(engine))
    replacement.stop(10)
    assert other.keys == ["k"]
    assert row(engine)["attempt"] == 2


def test_a_heartbeat_keeps_a_job_that_is_longer_than_its_lease(engine, working, gate):
    probe = Probe(lambda job: gate.wait(30) and None)
    with working(probe, WORKER_LEASE_SECONDS="2"):
        add(engine, request())
        wait_until(lambda: len(probe.keys) == 1)
        first = row(engine)["lease_until"]
        # Two lease lengths by the database's clock, while two workers reap.
        with working(Probe(), queues=("another",)):
            wait_until(lambda: (row(engine)["lease_until"] - first).total_seconds() > 4, timeout=30)
        gate.set()
        wait_until(lambda: all_done(engine))
    assert row(engine)["attempt"] == 1


def test_what_a_dead_worker_left_is_picked_up(engine, working):
    add(engine, request())
    claim(engine, QUEUE, 1, 60, "a worker that died")
    pass_time(engine, 61)
    probe = Probe()
    with working(probe):
        wait_until(lambda: all_done(engine), timeout=20)
    assert [job.attempt for job in probe.started] == [2]


def test_a_burial_that_the_database_does_not_take_yet_holds_up_nobody(engine, working, gate):
    class Waiting(Probe):
        def bury(self, connection, job, reason):
            if not gate.is_set():  # as when somebody holds the incident's row
                raise StorageUnavailable("not now") from OperationalError(
                    "", {}, pymysql.OperationalError(1205)
                )
            super().bury(connection, job, reason)

    add(engine, request("the last attempt", max_attempts=1))
    claim(engine, QUEUE, 1, 60, "a worker that died")
    pass_time(engine, 61)
    add(engine, request("another"))
    probe = Waiting()
    with working(probe):
        wait_until(lambda: probe.keys == ["another"])
        gate.set()
        wait_until(lambda: states(engine) == {"the last attempt": "dead", "another": "done"}, timeout=20)
    assert len(probe.buried) == 1


def test_an_idle_worker_asks_once_a_poll_and_writes_nothing_but_the_reaping(engine, make_runtime):
    runtime = make_runtime(engine, **SETTINGS)
    polls: list[str] = []
    others: list[str] = []

    def see(connection, cursor, statement, *rest):
        (polls if "EXISTS" in statement else others).append(statement)

    worker = Worker(runtime, handlers=Probe().handlers, queues=("a", "b", "c"))
    worker.start()
    wait_until(lambda: runtime.engine.pool.checkedin() > 0)
    event.listen(runtime.engine, "before_cursor_execute", see)
    wait_until(lambda: len(polls) == 5)  # one for all queues, each time
    worker.stop(10)
    assert not [one for one in others if one.lstrip().startswith("UPDATE")]
    assert len([one for one in others if "jobs" in one]) <= 2  # at most a reaping or two


def test_a_worker_outlives_its_database(mysql_engine, make_runtime):
    url = mysql_engine.url
    with Relay(url.port) as relay:
        away = create_engine(url.set(port=relay.port).render_as_string(hide_password=False))
        probe, done = Probe(), threading.Event()
        worker = Worker(make_runtime(away, **SETTINGS), handlers=probe.handlers, queues=(QUEUE,))
        worker.start()
        add(mysql_engine, request("before"))
        wait_until(lambda: all_done(mysql_engine))
        relay.cut()
        add(mysql_engine, request("during"))
        done.wait(1.0)  # some polls that fail
        assert probe.keys == ["before"]
        relay.mend()
        wait_until(lambda: all_done(mysql_engine), timeout=30)
        worker.stop(10)
        away.dispose()
    assert probe.keys == ["before", "during"]


def test_what_was_done_while_the_database_was_away_is_recorded_when_it_is_back(
    mysql_engine, make_runtime, gate
):
    url = mysql_engine.url
    with Relay(url.port) as relay:
        away = create_engine(url.set(port=relay.port).render_as_string(hide_password=False))
        probe = Probe(lambda job: gate.wait(30) and None)
        worker = Worker(make_runtime(away, **SETTINGS), handlers=probe.handlers, queues=(QUEUE,))
        worker.start()
        add(mysql_engine, request())
        wait_until(lambda: probe.keys == ["k"])
        relay.cut()
        gate.set()
        threading.Event().wait(1.0)  # the record fails some times
        assert states(mysql_engine) == {"k": "running"}
        relay.mend()
        wait_until(lambda: all_done(mysql_engine), timeout=30)
        worker.stop(10)
        away.dispose()
    assert probe.keys == ["k"]


def test_a_queue_that_comes_later_is_served_too(engine, working):
    probe = Probe()
    with working(probe) as worker:
        add(engine, request("first"))
        wait_until(lambda: states(engine)["first"] == "done")
        add(engine, request("late", queue="notify-db-team"))
        worker.serve([QUEUE, "notify-db-team"])
        worker.serve(["notify-db-team"])
        wait_until(lambda: all_done(engine))
    assert probe.keys == ["first", "late"]

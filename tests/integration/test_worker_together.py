"""Ends of many incidents' messages share a transaction: all of them are written once, whatever becomes of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import Engine, event, text

from receiver.domain.jobs import ClaimedJob, Outcome, Verdict
from receiver.domain.retry import Backoff
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, resolve
from receiver.services.job_handler import Completion
from receiver.storage.engine import reading
from receiver.worker.attempt import attempt, prepare
from receiver.worker.dispatcher import claim
from receiver.worker.handlers import build_handlers
from receiver.worker.recorder import Recorder, settle
from tests.builders.flow import Storm, rules_file
from tests.builders.jobs import states
from tests.fakes.polling import wait_until
from tests.fakes.slack import SlackServer
from tests.fixtures.runtimes import RuntimeFactory

COUNT = 5
NEVER = threading.Event()
QUEUE = "notify-slack"

Ended = list[tuple[ClaimedJob, Completion]]


@pytest.fixture
def make(make_runtime: RuntimeFactory, slack: SlackServer, tmp_path: Path) -> Callable[[Engine], Runtime]:
    return lambda engine: make_runtime(engine, SLACK_WEBHOOK_URL=slack.url, RULES=rules_file(tmp_path))


def sent(runtime: Runtime) -> Ended:
    """The ends of the messages about five incidents, which Slack has and nobody has recorded."""
    Storm(runtime).breaks(COUNT, severity="critical")
    handlers = build_handlers(runtime)
    jobs = claim(runtime.engine, QUEUE, COUNT, 60, "w")
    ready = prepare(handlers, jobs)
    assert None not in ready
    return [(job, attempt(handlers, job, Backoff(), one)) for job, one in zip(jobs, ready, strict=True)]


def recorded(engine: Engine) -> dict[str, int]:
    """How much there is of everything that a message's end writes."""
    queries = {
        "notifications": "SELECT count(*) FROM notifications WHERE state = 'sent'",
        "events": "SELECT count(*) FROM events WHERE type = 'notification.delivered'",
        "follow-ups": "SELECT count(*) FROM jobs WHERE idempotency_key LIKE '%:updated:1'",
        "incidents": "SELECT count(*) FROM incidents WHERE last_notified_at IS NOT NULL",
        "jobs": "SELECT count(*) FROM jobs WHERE state = 'done'",
    }
    with reading(engine) as connection:
        return {name: connection.execute(text(query)).scalar_one() for name, query in queries.items()}


def all_of(count: int) -> dict[str, int]:
    return dict.fromkeys(("notifications", "events", "follow-ups", "incidents", "jobs"), count)


@contextmanager
def commits(engine: Engine):
    """How many transactions end well meanwhile."""
    seen: list[str] = []
    note = lambda connection: seen.append("commit")  # noqa: E731 - it is to be removed again
    event.listen(engine, "commit", note)
    yield seen
    event.remove(engine, "commit", note)


def test_the_ends_of_five_messages_are_one_transaction(engine, make, slack):
    runtime = make(engine)
    ended = sent(runtime)
    with commits(engine) as seen:
        settle(engine, build_handlers(runtime), ended, NEVER)
    assert len(seen) == 1
    assert recorded(engine) == all_of(COUNT)
    assert len(slack.delivered()) == COUNT


def test_messages_are_read_for_together(engine, make):
    runtime = make(engine)
    Storm(runtime).breaks(COUNT, severity="critical")
    asked: list[str] = []
    listen = lambda connection, cursor, statement, *rest: asked.append(statement)  # noqa: E731 - to be removed again
    jobs = claim(engine, QUEUE, COUNT, 60, "w")
    event.listen(runtime.engine, "before_cursor_execute", listen)
    prepare(build_handlers(runtime), jobs)
    event.remove(runtime.engine, "before_cursor_execute", listen)
    # The incidents, and what was said of them.
    assert len([one for one in asked if one.startswith("SELECT")]) == 2


def test_a_lost_lease_does_not_cost_the_others_their_end(engine, make):
    runtime = make(engine)
    ended = sent(runtime)
    stolen, _ = ended[2]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET lease_token = 'another' WHERE job_id = {stolen.job_id}")
    settle(engine, build_handlers(runtime), ended, NEVER)
    assert recorded(engine) == all_of(COUNT - 1)
    assert states(engine)[stolen.idempotency_key] == "running"


def test_two_ends_of_one_incident_are_written_one_after_the_other(engine, make, slack):
    runtime = make(engine)
    ended = sent(runtime)
    settle(engine, build_handlers(runtime), ended[1:], NEVER)
    first, completion = ended[0]
    assert first.incident_id is not None
    resolve(runtime, first.incident_id, Deed("ann", "0" * 32))
    # As if the end had been told by another worker, whose record comes at the same moment.
    (last,) = claim(engine, QUEUE, 1, 60, "w")
    handlers = build_handlers(runtime)
    settle(engine, handlers, [(last, Completion(Outcome(Verdict.WAIT, "", 0.0)))], NEVER)
    (last,) = claim(engine, QUEUE, 1, 60, "w")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET state = 'ready' WHERE job_id = {first.job_id}")
    resolved = attempt(handlers, last, Backoff())
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET state = 'running' WHERE job_id = {first.job_id}")
    assert resolved.shared is not None
    with commits(engine) as seen:
        settle(engine, handlers, [(first, completion), (last, resolved)], NEVER)
    assert len(seen) == 2
    query = "SELECT template FROM notifications WHERE incident_id = :id ORDER BY notification_id"
    with reading(engine) as connection:
        told = connection.execute(text(query), {"id": first.incident_id}).scalars().all()
    assert told == ["opened", "resolved"]


def test_an_incident_that_somebody_holds_is_waited_for_alone(mysql_engine, make):
    runtime = make(mysql_engine)
    ended = sent(runtime)
    held = ended[-1][0]
    with mysql_engine.connect() as connection:
        query = text("SELECT incident_id FROM incidents WHERE incident_id = :id FOR UPDATE")
        connection.execute(query, {"id": held.incident_id})
        settling = threading.Thread(
            target=settle, args=(mysql_engine, build_handlers(runtime), ended, NEVER), daemon=True
        )
        settling.start()
        wait_until(lambda: recorded(mysql_engine) == all_of(COUNT - 1))
        connection.rollback()
    settling.join(20)
    assert recorded(mysql_engine) == all_of(COUNT)


def test_an_incident_that_stays_held_holds_up_no_other_that_waits_for_its_turn(mysql_engine, make):
    runtime = make(mysql_engine)
    ended = sent(runtime)
    (held, _), (busy, _) = ended[:2]
    settled: list[ClaimedJob] = []
    abandoned = threading.Event()
    recorder = Recorder(mysql_engine, build_handlers(runtime), settled.extend, abandoned)
    query = text("SELECT incident_id FROM incidents WHERE incident_id = :id FOR UPDATE")
    with mysql_engine.connect() as for_long, mysql_engine.connect() as for_a_moment:
        for_long.execute(query, {"id": held.incident_id})
        for_a_moment.execute(query, {"id": busy.incident_id})
        for job, completion in ended:
            recorder.submit(job, completion)
        recorder.start()
        wait_until(lambda: recorded(mysql_engine) == all_of(COUNT - 2))
        for_a_moment.rollback()
        wait_until(lambda: recorded(mysql_engine) == all_of(COUNT - 1), timeout=20)
        for_long.rollback()
    wait_until(lambda: len(settled) == COUNT, timeout=20)
    abandoned.set()
    recorder.wake()
    assert recorded(mysql_engine) == all_of(COUNT)


@pytest.mark.parametrize(
    "answers_lost", [1, 14]
)  # 14: more than a transaction is tried, so they come one by one
def test_a_commit_that_was_not_answered_is_written_once(
    mysql_engine, make, monkeypatch, caplog, answers_lost
):
    caplog.set_level(logging.INFO)
    runtime = make(mysql_engine)
    ended = sent(runtime)
    commit, lost = mysql_engine.dialect.do_commit, []

    def commit_and_hang_up(connection):
        commit(connection)
        if len(lost) < answers_lost:
            lost.append(1)
            raise pymysql.OperationalError(2013, "Lost connection during query")

    monkeypatch.setattr(mysql_engine.dialect, "do_commit", commit_and_hang_up)
    settle(mysql_engine, build_handlers(runtime), ended, NEVER)
    assert len(lost) == answers_lost
    assert "lease.lost" not in caplog.messages
    assert caplog.messages.count("job.done") == COUNT
    assert recorded(mysql_engine) == all_of(COUNT)

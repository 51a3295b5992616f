"""Real worker processes that are killed, stopped and told to end, in mid-work: no message is lost (invariant I6)."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from receiver.ids import new_trace_id
from receiver.services.intake import Intake
from receiver.storage.engine import reading
from tests.builders import bodies
from tests.builders.jobs import pass_time, states
from tests.fakes.polling import wait_until
from tests.fakes.processes import BIN, Process, environment
from tests.fakes.slack import OK, SlackServer, hang
from tests.fixtures.runtimes import RuntimeFactory

LEASE_SECONDS = 2
INCIDENT_ID = re.compile(r"INC-\d{14}-[0-9a-f]{16}")

StartWorker = Callable[..., Process]


@pytest.fixture
def start_worker(
    mysql_engine: Engine, slack: SlackServer, start_process: Callable[..., Process], tmp_path
) -> StartWorker:
    """A function that starts `receiver worker` and returns when it looks for jobs."""

    def start(lease_seconds: int = LEASE_SECONDS) -> Process:
        env = environment(
            {
                "RECEIVER_DATABASE_URL": mysql_engine.url.render_as_string(hide_password=False),
                "RECEIVER_SLACK_WEBHOOK_URL": slack.url,
                "RECEIVER_WORKER_LEASE_SECONDS": str(lease_seconds),
                "RECEIVER_WORKER_POLL_SECONDS": "0.1",
            }
        )
        number = len(list(tmp_path.glob("worker-*")))
        folder = tmp_path / f"worker-{number}"
        process: Process = start_process([BIN / "receiver", "worker"], folder=folder, env=env)
        process.wait_for_output("worker.started")
        return process

    return start


@pytest.fixture
def storm(
    mysql_engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer
) -> Callable[[int], list[str]]:
    """A function that opens so many incidents and returns their ids."""
    intake = Intake(make_runtime(mysql_engine, SLACK_WEBHOOK_URL=slack.url))
    services: Iterator[int] = iter(range(1_000_000))

    def storm(count: int) -> list[str]:
        body = bodies.alertmanager([bodies.alert(service=f"svc-{next(services)}") for _ in range(count)])
        answer = intake.accept(intake.read(body, trace_id=new_trace_id()))
        return [view.incident_id for view in answer.incidents]

    return storm


def told(slack: SlackServer) -> Counter[str]:
    """How many requests named each incident, whatever they were answered."""
    named = (set(INCIDENT_ID.findall(json.dumps(message.json))) for message in slack.messages())
    return Counter(incident_id for ids in named for incident_id in ids)


def recorded(engine: Engine) -> list[str]:
    """The incidents whose `opened` message is recorded as sent."""
    query = "SELECT incident_id FROM notifications WHERE template = 'opened' AND state = 'sent'"
    with reading(engine) as connection:
        return list(connection.execute(text(query)).scalars())


def all_opened_done(engine: Engine) -> bool:
    return {state for key, state in states(engine).items() if key.endswith(":opened")} == {"done"}


def test_a_job_of_a_killed_worker_is_finished_by_another(mysql_engine, slack, start_worker, storm):
    slack.answer(hang(60))
    (incident_id,) = storm(1)
    victim = start_worker()
    slack.wait_for(1)
    victim.kill()
    start_worker()
    wait_until(lambda: all_opened_done(mysql_engine), timeout=30)
    assert recorded(mysql_engine) == [incident_id]
    assert told(slack) == {incident_id: 2}  # the first request may have been a message: nobody can know


def test_after_any_number_of_kills_every_incident_is_told_and_nothing_recorded_is_told_again(
    mysql_engine, slack, start_worker, storm
):
    slack.answer_always(hang(0.02))
    incidents: list[str] = []
    settled: dict[str, int] = {}
    for _ in range(4):
        incidents += storm(40)
        worker = start_worker()
        slack.wait_for(len(slack.messages()) + 15, timeout=30)
        worker.kill()
        settled |= {incident_id: told(slack)[incident_id] for incident_id in recorded(mysql_engine)}
    slack.answer_always(OK)
    start_worker()
    wait_until(lambda: all_opened_done(mysql_engine), timeout=60)
    counts = told(slack)
    assert sorted(recorded(mysql_engine)) == sorted(incidents)
    assert set(counts) == set(incidents)
    assert {incident_id: counts[incident_id] for incident_id in settled} == settled
    # Told twice was at most what the four that were killed had begun and not recorded: two for each of four threads.
    assert sum(counts.values()) - len(incidents) <= 4 * 8


def test_only_what_was_told_and_not_recorded_before_a_kill_is_told_again(
    mysql_engine, slack, start_worker, storm
):
    incidents = storm(6)
    with mysql_engine.connect() as holder:
        lock = text("SELECT incident_id FROM incidents WHERE incident_id = :id FOR UPDATE")
        holder.execute(lock, {"id": incidents[0]})  # its record waits for us, after the message was sent
        victim = start_worker(lease_seconds=60)
        slack.wait_for(6, timeout=30)
        wait_until(lambda: sorted(recorded(mysql_engine)) == sorted(incidents[1:]), timeout=30)
        victim.kill()
        holder.rollback()
    pass_time(mysql_engine, 60)
    start_worker()
    wait_until(lambda: all_opened_done(mysql_engine), timeout=30)
    assert sorted(recorded(mysql_engine)) == sorted(incidents)
    assert told(slack) == dict.fromkeys(incidents[1:], 1) | {incidents[0]: 2}


def test_a_worker_that_slept_through_its_lease_records_nothing(mysql_engine, slack, start_worker, storm):
    slack.answer(hang(1.5))
    (incident_id,) = storm(1)
    sleeper = start_worker()
    slack.wait_for(1)
    sleeper.send(signal.SIGSTOP)
    start_worker()
    wait_until(lambda: all_opened_done(mysql_engine), timeout=30)
    sleeper.send(signal.SIGCONT)
    sleeper.wait_for_output("lease.lost")
    assert recorded(mysql_engine) == [incident_id]
    assert sleeper.stop() == 0


def test_a_worker_told_to_end_finishes_what_it_is_doing(mysql_engine, slack, start_worker, storm):
    slack.answer_always(hang(1.0))
    incidents = storm(6)
    worker = start_worker()
    slack.wait_for(1)
    worker.send(signal.SIGTERM)
    assert worker.wait(30) == 0
    worker.assert_nothing_left()
    done = recorded(mysql_engine)
    assert done
    assert sorted(told(slack)) == sorted(done)  # what it had begun it has ended, and nothing else was begun
    left = [
        state for key, state in states(mysql_engine).items() if key.endswith(":opened") and state == "ready"
    ]
    assert len(left) == len(incidents) - len(done)


def test_a_second_signal_ends_it_at_once(slack, start_worker, storm):
    slack.answer_always(hang(60))
    storm(1)
    worker = start_worker()
    slack.wait_for(1)
    worker.send(signal.SIGTERM)

    def insist() -> bool:
        worker.send(signal.SIGTERM)  # within the first second it is taken for the same wish
        return worker.returncode() is not None

    wait_until(insist, timeout=15)
    assert worker.wait(5) == 128 + signal.SIGTERM

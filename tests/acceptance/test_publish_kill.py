"""Real workers and a real NATS server, killed in mid-flow: every event arrives, in order, and after dedup once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from receiver.ids import new_trace_id
from receiver.services.intake import Intake
from tests.builders import bodies
from tests.builders.outbox import A, B, C, add, event, first_copies, ids_by_incident, unpublished
from tests.fakes.nats_server import NatsServer
from tests.fakes.polling import wait_until
from tests.fakes.processes import BIN, Process, environment
from tests.fixtures.runtimes import RuntimeFactory

LEASE_SECONDS = 2
EVENTS = 3000

StartWorker = Callable[[], Process]


@pytest.fixture
def start_worker(
    mysql_engine: Engine, nats_server: NatsServer, start_process: Callable[..., Process], tmp_path
) -> StartWorker:
    """A function that starts `receiver worker` and returns when it looks for jobs."""
    numbers: Iterator[int] = iter(range(1000))

    def start() -> Process:
        env = environment(
            {
                "RECEIVER_DATABASE_URL": mysql_engine.url.render_as_string(hide_password=False),
                "RECEIVER_BROKER_URL": nats_server.url,
                "RECEIVER_WORKER_LEASE_SECONDS": str(LEASE_SECONDS),
                "RECEIVER_WORKER_POLL_SECONDS": "0.1",
            }
        )
        folder = tmp_path / f"worker-{next(numbers)}"
        process: Process = start_process([BIN / "receiver", "worker"], folder=folder, env=env)
        process.wait_for_output("worker.started")
        return process

    return start


def fill(engine: Engine) -> list[int]:
    """Many events of three incidents."""
    for _ in range(EVENTS // 300):
        ids = add(engine, *(event(incident) for incident in (A, B, C) * 100))
    return ids


def assert_complete(server: NatsServer, ids: list[int]) -> None:
    """Each incident's events are all there, and in order for a consumer that drops the ids it has seen."""
    found = {incident: first_copies(seen) for incident, seen in ids_by_incident(server.stored()).items()}
    assert found == {A: ids[0::3], B: ids[1::3], C: ids[2::3]}


def marked_more_than(engine: Engine, number: int) -> Callable[[], bool]:
    return lambda: EVENTS - len(unpublished(engine)) > number


def test_workers_killed_in_mid_flow_lose_no_event_and_no_order(mysql_engine, nats_server, start_worker):
    worker = start_worker()
    ids = fill(mysql_engine)
    for round_ in range(3):
        wait_until(marked_more_than(mysql_engine, 300 * round_), timeout=30)
        worker.kill()
        worker = start_worker()
    wait_until(lambda: not unpublished(mysql_engine), timeout=60)
    assert_complete(nats_server, ids)
    # JetStream itself dropped what was sent twice.
    assert len(nats_server.stored()) == len(ids)


def test_a_broker_killed_in_mid_flow_gets_all_the_rest_when_it_is_back(
    mysql_engine, nats_server, start_worker
):
    start_worker()
    ids = fill(mysql_engine)
    for round_ in range(2):
        wait_until(marked_more_than(mysql_engine, 500 * round_), timeout=30)
        nats_server.kill()
        nats_server.start()
    wait_until(lambda: not unpublished(mysql_engine), timeout=90)
    assert_complete(nats_server, ids)


def test_with_two_workers_and_no_broker_alerts_are_taken_as_ever_and_told_later(
    mysql_engine, nats_server, start_worker, make_runtime: RuntimeFactory
):
    nats_server.kill()
    workers = [start_worker() for _ in range(2)]
    intake = Intake(make_runtime(mysql_engine))
    body = bodies.alertmanager([bodies.alert(service=f"svc-{n}") for n in range(20)])
    assert len(intake.accept(intake.read(body, trace_id=new_trace_id())).incidents) == 20
    wait_until(lambda: any("job.retry" in one.output() for one in workers), timeout=30)
    nats_server.start()
    wait_until(lambda: not unpublished(mysql_engine), timeout=60)
    subjects = [one.subject for one in nats_server.stored()]
    assert subjects.count("receiver.alert.raised") == subjects.count("receiver.incident.opened") == 20

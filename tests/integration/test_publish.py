"""The relay: what is committed goes out, at least once, in order within an incident, and no broker holds up more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import chain

import pytest
from sqlalchemy import Engine, text
from sqlalchemy import event as sqlalchemy_event

from receiver.brokers import kafka_producer
from receiver.clock import utc_now
from receiver.domain.events import EventType
from receiver.domain.jobs import JobState
from receiver.domain.outgoing import Message, PublishReport
from receiver.runtime import Runtime
from receiver.services import publish
from receiver.services.publish import STANDING_JOB, PublishHandler, stand_by
from receiver.storage import outbox
from receiver.storage.engine import reading
from receiver.storage.events import insert_many
from receiver.worker.dispatcher import claim
from receiver.worker.loop import run_due
from tests.builders import jobs
from tests.builders.backoff import SteadyBackoff
from tests.builders.outbox import (
    A,
    B,
    C,
    add,
    event,
    first_copies,
    forget_marks,
    ids_by_incident,
    make_due,
    unpublished,
)
from tests.fakes.kafka_cluster import KafkaCluster
from tests.fakes.nats_server import NatsServer
from tests.fixtures.runtimes import RuntimeFactory

KEY = STANDING_JOB.idempotency_key


@pytest.fixture
def runtime(engine: Engine, nats_server: NatsServer, make_runtime: RuntimeFactory) -> Runtime:
    """A runtime with a broker, whose standing job stands."""
    made = make_runtime(engine, BROKER_URL=nats_server.url)
    stand_by(made)
    return made


def relay(runtime: Runtime) -> None:
    """One attempt of the standing job."""
    make_due(runtime.engine)
    assert run_due(runtime, handlers={"publish": PublishHandler(runtime)}, queues=["publish"]) == 1


class Picky:
    """A broker that acknowledges everything but what `refuses` says, and records it."""

    name = "Picky"

    def __init__(self) -> None:
        self.refuses: Callable[[Message], bool] = lambda message: False
        self.taken: list[int] = []
        self.asked: list[int] = []

    def publish(self, batch: Sequence[Message]) -> PublishReport:
        report = PublishReport()
        stopped: set[str | int] = set()
        for message in batch:
            lane = message.key or message.event_id
            if lane in stopped:
                continue
            self.asked.append(message.event_id)
            if self.refuses(message):
                report.failures[message.event_id] = "refused"
                stopped.add(lane)
            else:
                self.taken.append(message.event_id)
                report.acknowledged.append(message.event_id)
        return report

    def check(self) -> str:
        return "answers"

    def close(self) -> None:
        pass


def test_every_event_goes_out_with_its_id_under_its_type_and_is_marked(runtime, nats_server):
    ids = add(runtime.engine, *(event(A, kind, note="ü") for kind in EventType), event(None))
    relay(runtime)
    assert unpublished(runtime.engine) == []
    stored = nats_server.stored()
    assert sorted(int(one.message_id) for one in stored) == ids
    assert {one.subject for one in stored} == {f"receiver.{kind.value}" for kind in EventType}
    assert all(one.envelope["payload"] in ({"note": "ü"}, {}) for one in stored)


def test_events_of_an_incident_keep_their_order_whatever_stands_between_them(
    runtime, nats_server, monkeypatch
):
    monkeypatch.setattr(publish, "BATCH", 7)
    ids = add(runtime.engine, *(event(incident) for incident in (A, B, A, None, C, A) * 10))
    relay(runtime)
    found = ids_by_incident(nats_server.stored())
    assert sorted(chain.from_iterable(found.values())) == ids
    assert all(found[incident] == sorted(found[incident]) for incident in (A, B, C))


def test_an_event_that_commits_after_a_higher_one_has_gone_out_goes_out_too(
    mysql_engine, nats_server, make_runtime
):
    runtime = make_runtime(mysql_engine, BROKER_URL=nats_server.url)
    stand_by(runtime)
    with mysql_engine.begin() as slow:
        insert_many(slow, [event(A)])
        add(mysql_engine, event(B))
        relay(runtime)
        assert ids_by_incident(nats_server.stored()) == {B: [2]}
    relay(runtime)
    assert ids_by_incident(nats_server.stored()) == {B: [2], A: [1]}


def test_what_happened_long_before_there_was_a_broker_does_not_go_out(engine, nats_server, make_runtime):
    long_ago = utc_now() - timedelta(minutes=10)
    old, recent = add(engine, event(A, created_at=long_ago), event(A))
    runtime = make_runtime(engine, BROKER_URL=nats_server.url)
    stand_by(runtime)
    relay(runtime)
    assert ids_by_incident(nats_server.stored()) == {A: [recent]}
    assert unpublished(engine) == [old]


def test_while_the_broker_is_down_events_are_kept_and_go_out_when_it_is_back(runtime, nats_server):
    nats_server.kill()
    ids = add(runtime.engine, event(A), event(B))
    for _ in range(3):
        relay(runtime)
    job = jobs.row(runtime.engine, KEY)
    assert (job["state"], job["last_error"]) == (
        JobState.READY,
        "no NATS server to talk to: Connection refused",
    )
    assert unpublished(runtime.engine) == ids
    with reading(runtime.engine) as connection:
        assert outbox.backlog(connection).events == 2
    nats_server.start()
    relay(runtime)
    assert ids_by_incident(nats_server.stored()) == {A: ids[:1], B: ids[1:]}
    with reading(runtime.engine) as connection:
        assert outbox.backlog(connection) == outbox.Backlog(0, 0.0)


def test_pauses_grow_while_the_broker_is_down(engine, make_runtime, monkeypatch):
    monkeypatch.setattr(publish, "BROKER_BACKOFF", SteadyBackoff(base_seconds=1.0, cap_seconds=30.0))
    runtime = make_runtime(engine, BROKER_URL="nats://127.0.0.1:9")
    stand_by(runtime)
    add(engine, event(A))
    handler = PublishHandler(runtime)
    (job,) = claim(engine, "publish", 1, 60, "test")
    assert [handler.run(job).outcome.delay_seconds for _ in range(7)] == [2, 3, 5, 9, 17, 31, 31]


def test_a_death_between_acknowledgement_and_mark_leaves_one_copy(runtime, nats_server):
    ids = add(runtime.engine, *(event(incident) for incident in (A, B) * 5))
    relay(runtime)
    forget_marks(runtime.engine)
    relay(runtime)
    assert unpublished(runtime.engine) == []
    assert ids_by_incident(nats_server.stored()) == {A: ids[::2], B: ids[1::2]}


def test_an_event_too_large_for_the_broker_goes_out_without_its_payload_in_its_turn(runtime, nats_server):
    ids = add(runtime.engine, event(A, n=1), event(A, fill="x" * 1_100_000), event(A, n=3))
    relay(runtime)
    assert unpublished(runtime.engine) == []
    stored = nats_server.stored()
    assert [
        (one.envelope["event_id"], one.envelope["truncated"], one.envelope["payload"]) for one in stored
    ] == [
        (ids[0], False, {"n": 1}),
        (ids[1], True, {}),
        (ids[2], False, {"n": 3}),
    ]


def test_an_event_too_large_even_without_its_payload_holds_back_its_own_incident_only(
    engine, make_runtime, tmp_path
):
    with NatsServer(tmp_path / "tiny", max_payload=600) as server:
        runtime = make_runtime(engine, BROKER_URL=server.url)
        stand_by(runtime)
        huge = event(A)
        huge.actor = "x" * 190
        blocked, waiting, free = add(engine, huge, event(A), event(B))
        relay(runtime)
        assert unpublished(engine) == [blocked, waiting]
        assert ids_by_incident(server.stored()) == {B: [free]}


@pytest.fixture
def picky(engine: Engine, make_runtime: RuntimeFactory, monkeypatch) -> tuple[Picky, Runtime]:
    """A broker that can be told what to refuse, and a runtime with it."""
    broker = Picky()
    monkeypatch.setattr("receiver.runtime.build_broker", lambda settings: broker)
    runtime = make_runtime(engine)
    stand_by(runtime)
    return broker, runtime


def test_a_failure_holds_back_the_later_events_of_its_incident_and_no_others(picky):
    broker, runtime = picky
    ids = add(runtime.engine, *(event(incident) for incident in (A, B, A, B, A)))
    broker.refuses = lambda message: message.event_id == ids[2]
    relay(runtime)
    assert unpublished(runtime.engine) == [ids[2], ids[4]]
    broker.refuses = lambda message: False
    relay(runtime)
    assert unpublished(runtime.engine) == []
    assert [event_id for event_id in broker.taken if event_id in ids[::2]] == ids[::2]


def test_an_incident_that_is_held_back_with_many_events_starves_no_other(picky, monkeypatch):
    monkeypatch.setattr(publish, "BATCH", 5)
    monkeypatch.setattr(publish, "LANE_BACKOFF", SteadyBackoff(base_seconds=60.0))
    broker, runtime = picky
    broker.refuses = lambda message: message.key == A
    add(runtime.engine, event(C), *(event(A) for _ in range(20)), event(B), event(None))
    relay(runtime)
    assert len(unpublished(runtime.engine)) == 20
    assert len(set(broker.asked) - set(broker.taken)) == 1


def test_an_event_without_incident_that_fails_is_held_back_alone(picky):
    broker, runtime = picky
    ids = add(runtime.engine, event(None), event(None), event(A))
    broker.refuses = lambda message: message.event_id == ids[0]
    relay(runtime)
    assert unpublished(runtime.engine) == ids[:1]


def test_two_relays_at_once_give_a_consumer_each_event_once_and_in_order(picky):
    broker, runtime = picky
    ids = add(runtime.engine, *(event(incident) for incident in (A, B) * 100))
    handlers = [PublishHandler(runtime) for _ in range(2)]
    (job,) = claim(runtime.engine, "publish", 1, 60, "test")
    threads = [threading.Thread(target=handler.run, args=(job,)) for handler in handlers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = list(dict.fromkeys(broker.taken))
    assert [event_id for event_id in seen if event_id in ids[::2]] == ids[::2]
    assert [event_id for event_id in seen if event_id in ids[1::2]] == ids[1::2]


def test_there_is_one_standing_job_however_many_workers_start_at_once(engine, make_runtime):
    runtime = make_runtime(engine, BROKER_URL="nats://127.0.0.1:9")
    threads = [threading.Thread(target=stand_by, args=(runtime,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jobs.states(engine) == {KEY: "ready"}


def test_the_standing_job_is_never_done(runtime):
    add(runtime.engine, event(A))
    for _ in range(3):
        relay(runtime)
        job = jobs.row(runtime.engine, KEY)
        assert (job["state"], job["attempt"]) == (JobState.READY, 0)


def test_a_standing_job_that_died_all_the_same_is_revived_by_the_next_worker(runtime):
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'dead'"))
    stand_by(runtime)
    assert jobs.states(runtime.engine) == {KEY: "ready"}


def test_without_a_broker_there_is_no_standing_job_and_one_left_over_does_nothing(
    engine, nats_server, make_runtime
):
    without = make_runtime(engine)
    stand_by(without)
    assert jobs.states(engine) == {}
    stand_by(make_runtime(engine, BROKER_URL=nats_server.url))
    add(engine, event(A))
    relay(without)
    assert len(unpublished(engine)) == 1


def test_more_than_a_batch_goes_out_in_one_attempt(picky, monkeypatch):
    monkeypatch.setattr(publish, "BATCH", 10)
    broker, runtime = picky
    ids = add(runtime.engine, *(event(A) for _ in range(95)))
    relay(runtime)
    assert broker.taken == ids


def test_kafka_gets_each_incident_in_order_in_one_partition_and_second_copies_under_the_same_id(
    sqlite_engine, kafka_cluster, make_runtime
):
    runtime = make_runtime(sqlite_engine, BROKER_URL=kafka_cluster.url)
    stand_by(runtime)
    ids = add(sqlite_engine, *(event(incident) for incident in (A, B, C) * 20))
    relay(runtime)
    forget_marks(sqlite_engine)
    relay(runtime)
    assert unpublished(sqlite_engine) == []
    stored = kafka_cluster.stored(["receiver.alert.raised"])
    assert all(one.message_id == str(one.envelope["event_id"]) for one in stored)
    seen = {incident: first_copies(found) for incident, found in ids_by_incident(stored).items()}
    assert seen == {A: ids[0::3], B: ids[1::3], C: ids[2::3]}
    assert len(stored) == 2 * len(ids)


def test_what_a_lost_kafka_does_not_acknowledge_goes_to_the_one_that_takes_its_place(
    sqlite_engine, kafka_cluster, make_runtime, monkeypatch
):
    monkeypatch.setattr(kafka_producer, "DELIVERY_SECONDS", 1.0)
    monkeypatch.setattr(kafka_producer, "ANSWER_SECONDS", 1.0)
    runtime = make_runtime(sqlite_engine, BROKER_URL=kafka_cluster.url)
    stand_by(runtime)
    add(sqlite_engine, event(A))
    relay(runtime)
    kafka_cluster.stop()
    ids = add(sqlite_engine, event(A), event(A), event(B))
    relay(runtime)
    assert unpublished(sqlite_engine) == ids[1:]
    assert jobs.row(sqlite_engine, KEY)["last_error"].startswith("Kafka says: Local: ")
    with KafkaCluster() as other:
        relay(make_runtime(sqlite_engine, BROKER_URL=other.url))
        found = ids_by_incident(other.stored(["receiver.alert.raised"]))
    assert found == {A: ids[1:3], B: ids[3:]}


def test_the_outbox_is_read_along_its_index(mysql_engine):
    statements: list[str] = []
    sqlalchemy_event.listen(mysql_engine, "before_cursor_execute", lambda *a: statements.append(a[2] % a[3]))
    with reading(mysql_engine) as connection:
        outbox.unpublished(connection, 0, 10)
        plan = connection.execute(text(f"EXPLAIN FORMAT=TRADITIONAL {statements[0]}")).mappings().one()
    assert plan["key"] == "idx_events_unpublished"
    assert "filesort" not in str(plan["Extra"])

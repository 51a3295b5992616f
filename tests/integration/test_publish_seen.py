"""What operators see of the relay: metrics, and what `receiver doctor` says of the broker."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from receiver import metrics
from receiver.clock import utc_now
from receiver.config import load
from receiver.domain.finding import Level
from receiver.runtime import Runtime
from receiver.services import figures
from receiver.services.broker_check import check_broker
from receiver.services.publish import PublishHandler, stand_by
from receiver.storage import outbox
from receiver.storage.engine import reading
from receiver.worker.loop import run_due
from tests.builders.outbox import A, B, add, event
from tests.builders.web import client_of
from tests.fakes.nats_server import NatsServer
from tests.fakes.ports import free_port
from tests.fixtures.runtimes import RuntimeFactory

DOWN = "nats://somebody:secret-of-the-broker@127.0.0.1:{}"


@pytest.fixture(autouse=True)
def fresh_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "KEEP_SECONDS", 0.0)


def samples(runtime: Runtime) -> dict[str, float]:
    served = client_of(runtime).get("/metrics").text
    families = text_string_to_metric_families(served)
    return {
        sample.name: sample.value for family in families for sample in family.samples if not sample.labels
    }


def counted(outcome: str) -> float:
    return float(metrics.EVENTS_PUBLISHED.labels(outcome)._value.get())


def test_the_lag_is_counted_from_the_start_on_and_is_nought_when_all_is_out(
    engine: Engine, nats_server: NatsServer, make_runtime: RuntimeFactory
) -> None:
    add(engine, event(A, created_at=utc_now() - timedelta(minutes=10)))  # before there was a broker
    runtime = make_runtime(engine, BROKER_URL=nats_server.url)
    assert samples(runtime)["receiver_events_unpublished"] == 0
    stand_by(runtime)
    add(engine, event(A, created_at=utc_now() - timedelta(seconds=30)), event(B))
    found = samples(runtime)
    assert found["receiver_events_unpublished"] == 2
    assert 29 < found["receiver_events_oldest_unpublished_seconds"] < 120
    before = counted("published")
    run_due(runtime, handlers={"publish": PublishHandler(runtime)}, queues=["publish"])
    assert counted("published") == before + 2
    found = samples(runtime)
    assert (found["receiver_events_unpublished"], found["receiver_events_oldest_unpublished_seconds"]) == (
        0,
        0,
    )


def test_nobody_waits_for_events_where_the_broker_was_taken_out_of_the_settings(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    stand_by(make_runtime(engine, BROKER_URL=DOWN.format(9)))
    add(engine, event(A))
    with reading(engine) as connection:
        assert outbox.backlog(connection).events == 1
    assert samples(make_runtime(engine))["receiver_events_unpublished"] == 0


def test_a_long_backlog_is_counted_only_so_far(
    engine: Engine, make_runtime: RuntimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_by(make_runtime(engine, BROKER_URL=DOWN.format(9)))
    add(engine, *(event(A) for _ in range(5)))
    limited = outbox._number_up_to(3)
    monkeypatch.setattr(outbox, "_number", limited)
    with reading(engine) as connection:
        assert outbox.backlog(connection).events == 3


def test_the_doctor_says_whether_the_broker_can_be_used_and_sends_nothing(nats_server: NatsServer) -> None:
    (found,) = check_broker(load({"RECEIVER_BROKER_URL": nats_server.url}))
    assert (found.level, found.subject) == (Level.OK, "NATS")
    assert found.text == "answers; the first event will make the stream receiver"


def test_the_doctor_names_what_is_wrong_with_the_broker_and_no_secret() -> None:
    (found,) = check_broker(load({"RECEIVER_BROKER_URL": DOWN.format(free_port())}))
    assert (found.level, found.text) == (Level.BAD, "no NATS server to talk to: Connection refused")
    assert "RECEIVER_BROKER_URL" in found.advice
    assert "secret" not in json.dumps([found.text, found.advice])


def test_the_doctor_is_silent_where_no_broker_is_set_up() -> None:
    assert list(check_broker(load({}))) == []

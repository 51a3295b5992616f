"""Several channels at once: each hears of what it asked for, in the right order, whatever holds one of them up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, acknowledge, resolve
from receiver.services.intake import Intake
from receiver.storage.engine import reading
from receiver.worker.loop import run_due
from tests.builders import bodies
from tests.builders.backoff import SteadyBackoff
from tests.builders.flow import rules_file
from tests.builders.jobs import pass_time
from tests.fakes.counterparts import ALL, TOGETHER, Counterpart
from tests.fixtures.runtimes import RuntimeFactory

HUMAN = Deed("ann", "0" * 32)
INTERVAL = 1800.0


@pytest.fixture
def services() -> Iterator[dict[str, Counterpart]]:
    with ExitStack() as running:
        yield {name: running.enter_context(ALL[name]()) for name in TOGETHER}


@pytest.fixture
def runtime(
    engine: Engine, make_runtime: RuntimeFactory, services: dict[str, Counterpart], tmp_path: Path
) -> Runtime:
    settings = {"UPDATE_INTERVAL_SECONDS": str(INTERVAL), "PUBLIC_URL": "https://receiver.example"}
    settings["RULES"] = rules_file(tmp_path)
    for service in services.values():
        settings |= service.settings(service.port)
    return make_runtime(engine, **settings)


def send(runtime: Runtime, *alerts: dict[str, Any]) -> str:
    """Alerts of one incident come in; its id."""
    intake = Intake(runtime)
    delivery = intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id())
    return intake.accept(delivery).incidents[0].incident_id


def told(engine: Engine, channel: str) -> list[tuple[str, int, str]]:
    """How each message to the channel ended, in that order."""
    query = text(
        "SELECT template, sequence, state FROM notifications WHERE channel = :channel ORDER BY notification_id"
    )
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(query, {"channel": channel})]


def actions(service: Counterpart) -> list[str]:
    """What PagerDuty was asked to do."""
    words = ("trigger", "acknowledge", "resolve")
    return [word for taken in service.texts() for word in words if f'"event_action": "{word}"' in taken]


def test_each_channel_hears_of_the_life_of_an_incident_as_far_as_it_wants_to(runtime, engine, services):
    incident_id = send(runtime, bodies.alert())
    run_due(runtime)
    send(runtime, bodies.alert(instance="another"))
    pass_time(engine, INTERVAL)
    run_due(runtime)
    acknowledge(runtime, incident_id, HUMAN)
    run_due(runtime)
    resolve(runtime, incident_id, HUMAN)
    run_due(runtime)
    some = [("opened", 0, "sent"), ("updated", 1, "sent"), ("resolved", 0, "sent")]
    every = [*some[:2], ("acknowledged", 0, "sent"), some[2]]
    assert told(engine, "slack") == told(engine, "email") == some
    assert told(engine, "pagerduty") == told(engine, "webhook") == every
    assert actions(services["pagerduty"]) == ["trigger", "trigger", "acknowledge", "resolve"]
    assert '"acknowledged_by": "ann"' in services["webhook"].texts()[2]
    for service in services.values():
        assert all(incident_id in taken for taken in service.texts())


def test_an_acknowledgement_waits_until_the_beginning_has_been_told(runtime, engine, services):
    services["pagerduty"].put_off("maintenance")
    incident_id = send(runtime, bodies.alert())
    run_due(runtime, backoff=SteadyBackoff(base_seconds=300.0))
    acknowledge(runtime, incident_id, HUMAN)
    run_due(runtime)
    assert actions(services["pagerduty"]) == []
    for _ in range(2):
        pass_time(engine, 600)
        run_due(runtime)
    assert actions(services["pagerduty"]) == ["trigger", "acknowledge"]


def test_an_acknowledgement_is_told_although_the_beginning_was_refused(runtime, engine, services):
    services["webhook"].refuse("gone")
    incident_id = send(runtime, bodies.alert())
    run_due(runtime)
    acknowledge(runtime, incident_id, HUMAN)
    run_due(runtime)
    assert told(engine, "webhook") == [("opened", 0, "dead"), ("acknowledged", 0, "sent")]


def test_an_acknowledgement_that_the_end_has_overtaken_is_not_told(runtime, engine, services):
    incident_id = send(runtime, bodies.alert())
    run_due(runtime)
    acknowledge(runtime, incident_id, HUMAN)
    resolve(runtime, incident_id, HUMAN)
    run_due(runtime)
    assert sorted(told(engine, "pagerduty")) == [
        ("acknowledged", 0, "superseded"),
        ("opened", 0, "sent"),
        ("resolved", 0, "sent"),
    ]
    assert actions(services["pagerduty"]) == ["trigger", "resolve"]

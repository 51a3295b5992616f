"""No figures without proof: what is missing, double or extra in the database is found."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, update

from bench.bodies import Requests, Shape
from bench.proof import ProofFailed, differences, expected, prove
from receiver.config import load
from receiver.runtime import build_runtime
from receiver.services.intake import Intake
from receiver.storage.tables import events, grafana_alerts, incidents

GROUP = Shape(alerts=20, services=5)


def take(url: str, shape: Shape, serials: list[int]) -> None:
    """Let the receiver's intake have the bodies with these serial numbers."""
    runtime = build_runtime(load({"RECEIVER_DATABASE_URL": url}))
    intake, requests = Intake(runtime), Requests(shape, token="t")
    for serial in serials:
        body = requests.make(serial).partition(b"\r\n\r\n")[2]
        intake.record([intake.read(body, trace_id="0" * 32)])
    runtime.close()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("shape", "serials"),
    [
        (Shape(), [1, 2, 3]),
        (Shape(fresh_services=False), [1, 2, 3]),
        (Shape(), [1, 2, 1, 1, 3]),
        (GROUP, [1, 2]),
        (Shape(), []),
    ],
)
def test_what_was_acknowledged_and_stored_is_proven_and_no_more(engine, shape, serials):
    take(url_of(engine), shape, serials)
    prove(url_of(engine), shape, serials)
    with pytest.raises(ProofFailed, match="deliveries: "):
        prove(url_of(engine), shape, [*serials, 99])


def test_a_delivery_that_was_acknowledged_and_is_not_there_is_found(sqlite_engine):
    take(url_of(sqlite_engine), Shape(), [1, 2])
    with pytest.raises(ProofFailed, match="deliveries: 2 instead of 3"):
        prove(url_of(sqlite_engine), Shape(), [1, 2, 3])


def test_a_delivery_that_was_stored_twice_is_found(sqlite_engine):
    take(url_of(sqlite_engine), Shape(), [1, 2, 2])
    with pytest.raises(ProofFailed, match="repeated: 1 instead of 0"):
        prove(url_of(sqlite_engine), Shape(), [1, 2])


@pytest.mark.parametrize(
    "damage",
    [
        delete(events).where(events.c.type == "incident.opened"),
        update(grafana_alerts).values(disposition="attached"),
        update(incidents).values(firing_count=incidents.c.firing_count + 1),
    ],
)
def test_what_no_longer_fits_together_is_found(sqlite_engine, damage):
    take(url_of(sqlite_engine), GROUP, [1])
    with sqlite_engine.begin() as connection:
        connection.execute(damage)
    with pytest.raises(ProofFailed):
        prove(url_of(sqlite_engine), GROUP, [1])


def test_repeats_are_alerts_but_no_members():
    found = expected(GROUP, [1, 2, 1])
    assert (found["alerts"], found["different alerts"], found["repeated"]) == (60, 40, 20)
    assert (found["opened"], found["attached"]) == (10, 30)


def test_what_nobody_expected_is_a_difference_too():
    assert differences({"alerts": 1}, {"alerts": 1, "rejected": 2}) == ["rejected: 2 instead of 0"]

"""POST /api/v1/incidents/{id}/hold and release: who may, what it answers, and how it is told."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from receiver.app import create_app
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.intake import Intake
from receiver.storage.tables import audit_log, events
from tests.builders import bodies
from tests.builders.cli import run as run_command
from tests.fixtures.runtimes import RuntimeFactory

TOKENS = "ann:responder:ann-may-act,eve:viewer:eve-may-look"
ANN, EVE = ({"Authorization": f"Bearer {token}"} for token in ("ann-may-act", "eve-may-look"))


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    made = make_runtime(engine, API_TOKENS=TOKENS)
    intake = Intake(made)
    intake.accept(intake.read(bodies.alertmanager([bodies.alert()]), trace_id=new_trace_id()))
    return made


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return create_app(runtime.settings, runtime).test_client()


def test_an_incident_is_held_and_released_by_whoever_has_the_token(
    client: FlaskClient, runtime: Runtime
) -> None:
    held = client.post("/api/v1/incidents/1/hold", json={"note": "for the audit", "by": "me"}, headers=ANN)
    assert held.status_code == 200
    assert (held.json["held"]["reason"], held.json["held"]["by"]) == ("for the audit", "ann")
    assert client.get("/api/v1/incidents/1", headers=EVE).json["held"] == held.json["held"]
    released = client.post("/api/v1/incidents/1/release", json={}, headers=ANN)
    assert (released.status_code, released.json["held"]) == (200, None)
    assert client.get("/api/v1/incidents/1", headers=EVE).json["held"] is None
    with runtime.engine.connect() as connection:
        query = select(events.c.actor, events.c.payload).where(events.c.type == "incident.updated")
        told = [tuple(row) for row in connection.execute(query.order_by(events.c.event_id))]
        audited = connection.execute(select(audit_log.c.action, audit_log.c.actor)).all()
    assert told == [
        ("ann", {"changes": {"held": [False, True]}, "note": "for the audit"}),
        ("ann", {"changes": {"held": [True, False]}}),
    ]
    assert [tuple(row) for row in audited] == [("incident.hold", "ann"), ("incident.release", "ann")]


def test_holding_again_and_releasing_what_is_not_held_tells_nothing(
    client: FlaskClient, runtime: Runtime
) -> None:
    for _ in range(2):
        client.post("/api/v1/incidents/1/hold", json={"note": "for the audit"}, headers=ANN)
    for _ in range(2):
        assert client.post("/api/v1/incidents/1/release", headers=ANN).status_code == 200
    with runtime.engine.connect() as connection:
        query = select(events.c.event_id).where(events.c.type == "incident.updated")
        assert len(connection.execute(query).all()) == 2


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("1/hold", {}, ANN, 422),
        ("1/hold", {"note": ""}, ANN, 422),
        ("1/hold", {"note": " \n"}, ANN, 422),
        ("1/hold", {"note": "x"}, EVE, 403),
        ("1/release", {}, EVE, 403),
        ("77/hold", {"note": "x"}, ANN, 404),
        ("77/release", {}, ANN, 404),
    ],
)
def test_what_is_wrong_is_refused(client: FlaskClient, path, body, headers, status) -> None:
    assert client.post(f"/api/v1/incidents/{path}", json=body, headers=headers).status_code == status


def test_the_commands_do_the_same(client: FlaskClient, runtime: Runtime) -> None:
    settings = {"DATABASE_URL": runtime.engine.url.render_as_string(hide_password=False)}
    held = run_command(["db", "hold", "INC-1", "--reason", "audit"], **settings)
    assert "is held" in held.output
    assert client.get("/api/v1/incidents/1", headers=EVE).json["held"]["reason"] == "audit"
    assert "held no more" in run_command(["db", "release", "INC-1"], **settings).output
    assert "was not held" in run_command(["db", "release", "INC-1"], **settings).output
    assert run_command(["db", "release", "INC-9"], **settings).exit_code == 1
    assert run_command(["db", "hold", "INC-1", "--reason", " "], **settings).exit_code == 2
    assert client.get("/api/v1/incidents/1", headers=EVE).json["held"] is None

"""Errors of any kind come as problem+json, and give nothing away."""

from __future__ import annotations

import dataclasses

import pytest
from flask import abort
from flask.testing import FlaskClient
from sqlalchemy import Engine

from receiver import errors
from receiver.errors import RequestRefused
from receiver.storage.engine import create_engine
from receiver.web.docs import problem_entries
from tests.builders.web import app_of, client_of
from tests.fakes.ports import free_port
from tests.fixtures.runtimes import RuntimeFactory

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def client(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> FlaskClient:
    app = app_of(make_runtime(sqlite_engine))

    def broken() -> str:
        raise ValueError("s3cret in the error's text")

    def teapot() -> str:
        abort(418)

    app.add_url_rule("/broken", view_func=broken)
    app.add_url_rule("/teapot", view_func=teapot)
    return app.test_client()


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("DELETE", "/health", 405, "method-not-allowed"),
        ("GET", "/webhook/alert", 405, "method-not-allowed"),
        ("PUT", "/api/v1/incidents", 405, "method-not-allowed"),
        ("GET", "/api/v1/incidents/INC-9", 404, "unknown-incident"),
        ("GET", "/api/v1/incidents?limit=x", 422, "invalid-field"),
        ("GET", "/broken", 500, "internal-error"),
        ("GET", "/teapot", 418, "i'm-a-teapot"),
    ],
)
def test_each_error_is_a_problem(client: FlaskClient, method: str, path: str, status: int, slug: str) -> None:
    traceparent = f"00-{TRACE}-b7ad6b7169203331-01"
    answer = client.open(path, method=method, headers={"traceparent": traceparent})
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    problem = answer.json
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["trace_id"] == TRACE
    assert problem["title"]
    assert problem["detail"]


def test_a_fault_is_logged_by_its_place_and_told_without_any_of_its_text(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken")
    assert "s3cret" not in answer.text
    assert "Traceback" not in answer.text
    (record,) = (record for record in caplog.records if record.message == "request.failed")
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError
    assert vars(record)["trace_id"] == answer.json["trace_id"]


def test_a_database_that_is_away_is_503_for_readers(
    make_runtime: RuntimeFactory, sqlite_engine: Engine
) -> None:
    runtime = make_runtime(sqlite_engine)
    url = f"mysql+pymysql://u:p4ssword@127.0.0.1:{free_port()}/none"
    away = dataclasses.replace(runtime, engine=create_engine(url))
    for path in ("/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/incidents/1/timeline"):
        answer = client_of(away).get(path)
        assert (answer.status_code, answer.json["type"]) == (503, "/problems/storage-unavailable")
        assert answer.headers["Retry-After"]
        assert "p4ssword" not in answer.text
    away.close()


def test_each_kind_of_problem_has_its_page(client: FlaskClient) -> None:
    for entry in problem_entries():
        answer = client.get(f"/problems/{entry.slug}")
        assert answer.status_code == 200
        assert entry.about
    assert client.get("/problems/none").status_code == 404


def test_no_kind_of_problem_is_missing_from_the_page() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RequestRefused)
    ]
    slugs = {kind.slug for kind in kinds if kind is not RequestRefused}
    assert slugs <= {entry.slug for entry in problem_entries()}

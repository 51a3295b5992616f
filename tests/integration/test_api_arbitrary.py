"""Whatever is asked of the API, it is answered: with rows, or with a 4xx that says what is wrong."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.builders import bodies
from tests.builders.web import client_of
from tests.fixtures.runtimes import RuntimeFactory

LIST = "/api/v1/incidents"
texts = st.text(max_size=40) | st.binary(max_size=20)
names = st.sampled_from(
    [
        "status",
        "priority",
        "severity",
        "service",
        "cluster",
        "owner",
        "since",
        "until",
        "q",
        "limit",
        "cursor",
        "x",
    ]
)
repeatable = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def client(engine: Engine, make_runtime: RuntimeFactory) -> FlaskClient:
    made = client_of(make_runtime(engine))
    made.post("/webhook/alert", data=bodies.alertmanager([bodies.alert(service="cart")]))
    return made


def quoted(text: str | bytes) -> str:
    return quote(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, safe="")


@example([("q", "\0")])
@example([("q", b"\xff")])
@example([("service", "\U0001f4a5")])
@example([("owner", "ẞ\ud800")])
@example([("cursor", "é")])
@given(st.lists(st.tuples(names, texts), max_size=3))
@repeatable
def test_any_query_is_answered(client: FlaskClient, query: list[tuple[str, str | bytes]]) -> None:
    text = "&".join(f"{name}={quoted(value)}" for name, value in query)
    assert client.get(f"{LIST}?{text}").status_code in (200, 422)


@example("\0")
@example(b"\xff")
@example("1" * 30)
@given(texts)
@repeatable
def test_any_reference_is_answered(client: FlaskClient, reference: str | bytes) -> None:
    for below in ("", "/alerts", "/timeline"):
        assert client.get(f"{LIST}/{quoted(reference)}{below}").status_code in (200, 404)


@example(b'{"note": "\\ud800"}')
@example(b'{"note": "\\u0000", "by": "\\u0000"}')
@example(b'{"note": NaN}')
@given(
    st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["note", "by", "owner", "x"]), st.text(max_size=30) | st.none() | st.integers()
    ).map(lambda body: json.dumps(body).encode())
)
@repeatable
def test_any_body_is_answered(client: FlaskClient, body: bytes) -> None:
    known = client.get(LIST).json["incidents"][0]["incident_id"]
    before = _count(client, known)
    for step in ("assign", "timeline"):
        answer = client.post(f"{LIST}/{known}/{step}", data=body)
        assert answer.status_code in (200, 422), answer.text
    assert _count(client, known) - before in (0, 1, 2)


def _count(client: FlaskClient, reference: str) -> int:
    page: Any = client.get(f"{LIST}/{reference}/timeline?limit=500").json
    return len(page["events"])

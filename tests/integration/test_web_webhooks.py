"""The webhook addresses: what senders are answered, and what is kept."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy import Engine, select

from receiver.errors import NotAuthenticated
from receiver.runtime import Runtime
from receiver.storage.engine import reading
from receiver.storage.tables import deliveries
from receiver.web.webhooks import PATHS
from tests.builders import bodies
from tests.builders.web import client_of
from tests.fixtures.runtimes import RuntimeFactory

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    return make_runtime(engine)


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return client_of(runtime)


def kept(engine: Engine) -> Sequence[Any]:
    with reading(engine) as connection:
        return connection.execute(select(deliveries).order_by(deliveries.c.delivery_id)).all()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_address_takes_alerts_directly(
    client: FlaskClient, engine: Engine, path: str, method: str, slash: str
) -> None:
    body = bodies.alertmanager([bodies.alert()])
    answer = client.open(path + slash, method=method, data=body)
    assert answer.status_code == 200
    assert answer.json["outcome"] == "processed"
    assert [row.body for row in kept(engine)] == [body]


def test_past_flask_an_answer_is_what_flask_would_make_of_it(client: FlaskClient) -> None:
    past, through = (client.post(PATHS[0] + slash, data=b"not JSON") for slash in ("", "/"))
    assert sorted(past.headers) == sorted(through.headers)
    own = {"delivery_id": "", "trace_id": ""}
    assert json.loads(past.data) | own == json.loads(through.data) | own


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_refusal_is_answered_by_flask_with_the_trace_id_that_was_sent(
    engine: Engine, make_runtime: RuntimeFactory, slash: str
) -> None:
    guarded = client_of(make_runtime(engine, WEBHOOK_TOKEN="x" * 30))
    answer = guarded.post(PATHS[0] + slash, data=b"{}", headers={"traceparent": TRACEPARENT})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.json["trace_id"] == TRACEPARENT.split("-")[1]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert kept(engine) == []


def test_refusals_leave_nothing_behind_for_the_garbage_collector(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    guarded = client_of(make_runtime(engine, WEBHOOK_TOKEN="x" * 30))
    guarded.post(PATHS[0], data=b"{}")
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            guarded.post(PATHS[0], data=b"{}")
        assert not [one for one in gc.get_objects() if isinstance(one, NotAuthenticated)]
    finally:
        gc.enable()


def test_the_answer_says_what_became_of_the_alerts(client: FlaskClient) -> None:
    alerts = [bodies.alert(host="a"), bodies.alert(host="b")]
    answer = client.post(PATHS[0], data=bodies.grafana(alerts), headers={"traceparent": TRACEPARENT})
    found = answer.json
    (incident,) = found["incidents"]
    assert found["alerts"] == {"received": 2, "opened": 1, "attached": 1}
    assert found["trace_id"] == TRACEPARENT.split("-")[1]
    assert (incident["status"], incident["alert_count"], incident["disposition"]) == ("active", 2, "opened")
    assert incident["incident_id"].startswith("INC-")
    assert len(found["delivery_id"]) == 26


def test_a_get_is_refused_as_such_so_that_a_redirect_on_the_way_is_seen(client: FlaskClient) -> None:
    for path in PATHS:
        answer = client.get(path)
        assert answer.status_code == 405
        assert answer.content_type == "application/problem+json"
        assert {"POST", "PUT"} <= set(answer.headers["Allow"].split(", "))
        assert "redirect" in answer.json["detail"]


@pytest.mark.parametrize("path", ["//webhook/alert", "/webhook//alert", "/webhook/alert//", "/webhook"])
def test_an_address_that_is_nearly_right_is_not_redirected(client: FlaskClient, path: str) -> None:
    assert client.post(path, data=b"{}").status_code == 404


def test_headers_with_secrets_are_not_kept(client: FlaskClient, engine: Engine) -> None:
    client.post(
        PATHS[0],
        data=b"{}",
        headers={
            "Authorization": "Bearer s3cret",
            "Cookie": "s3cret",
            "X-Grafana-Alerting-Signature": "s3cret",
            "User-Agent": "Grafana",
            "Content-Type": "text/weird",
            "X-Forwarded-For": "192.0.2.7",
            "traceparent": TRACEPARENT,
        },
    )
    (row,) = kept(engine)
    assert row.headers == {
        "User-Agent": "Grafana",
        "Content-Type": "text/weird",
        "X-Forwarded-For": "192.0.2.7",
        "traceparent": TRACEPARENT,
    }
    assert (row.content_type, row.credential, row.signature_verified) == ("text/weird", "none", False)


def test_a_long_header_is_cut(client: FlaskClient, engine: Engine) -> None:
    client.post(PATHS[0], data=b"{}", headers={"User-Agent": "x" * 5000, "Content-Type": "y" * 5000})
    (row,) = kept(engine)
    assert len(row.headers["User-Agent"]) == 255
    assert len(row.content_type) == 255


def test_without_a_good_credential_nothing_is_kept(engine: Engine, make_runtime: RuntimeFactory) -> None:
    client = client_of(make_runtime(engine, WEBHOOK_TOKEN="tok-one,tok-two", WEBHOOK_BASIC="u:p"))
    body = bodies.alertmanager([bodies.alert()])
    answer = client.post(PATHS[0], data=body, headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert (
        answer.headers["WWW-Authenticate"] == 'Basic realm="alerts", charset="UTF-8", Bearer realm="alerts"'
    )
    assert kept(engine) == []
    assert client.post(PATHS[0], data=body, headers={"Authorization": "Bearer tok-two"}).status_code == 200
    assert [row.credential for row in kept(engine)] == ["bearer"]


def test_the_webhook_credential_opens_no_api_and_an_api_token_takes_no_alerts(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    client = client_of(make_runtime(engine, WEBHOOK_TOKEN="tok-hook", API_TOKENS="ada:admin:tok-api"))
    assert client.post(PATHS[0], data=b"{}", headers={"Authorization": "Bearer tok-api"}).status_code == 401
    assert client.get("/api/v1/incidents", headers={"Authorization": "Bearer tok-hook"}).status_code == 401


def test_a_body_over_the_limit_is_refused_and_not_kept(client: FlaskClient, engine: Engine) -> None:
    answer = client.post(PATHS[0], data=b"x" * (8 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json["type"] == "/problems/body-too-large"
    assert kept(engine) == []


def test_a_compressed_body_is_refused(client: FlaskClient) -> None:
    answer = client.post(PATHS[0], data=b"x", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json["type"]) == (415, "/problems/unsupported-encoding")


def test_a_web_page_elsewhere_cannot_send_alerts_to_an_open_receiver(
    client: FlaskClient, engine: Engine
) -> None:
    answer = client.post(PATHS[0], data=b"{}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert kept(engine) == []


def test_each_refusal_is_counted_by_status(client: FlaskClient) -> None:
    def counted(status: str) -> float:
        return REGISTRY.get_sample_value("receiver_requests_refused_total", {"status": status}) or 0

    before = counted("415"), counted("405")
    client.post(PATHS[0], data=b"x", headers={"Content-Encoding": "gzip"})
    client.get(PATHS[0] + "/")
    client.get("/nowhere")  # no webhook
    assert (counted("415"), counted("405")) == (before[0] + 1, before[1] + 1)


@contextmanager
def busy(engine: Engine) -> Iterator[None]:
    """Nobody else can write meanwhile."""
    blocker = engine.connect()
    blocker.exec_driver_sql("SELECT 1")  # begins, and takes the write lock
    try:
        yield
    finally:
        blocker.close()


def test_what_the_database_does_not_take_is_spooled(
    make_runtime: RuntimeFactory, sqlite_engine: Engine
) -> None:
    client = client_of(make_runtime(sqlite_engine, INTAKE_BUDGET_SECONDS="0.2"))
    with busy(sqlite_engine):
        answer = client.post(PATHS[0], data=bodies.alertmanager([bodies.alert()]))
    assert answer.status_code == 200
    assert (answer.json["outcome"], answer.json["alerts"]) == ("spooled", {"received": 1})


def test_what_neither_the_database_nor_the_spool_takes_is_503_and_never_429(
    make_runtime: RuntimeFactory, sqlite_engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = {"INTAKE_BUDGET_SECONDS": "0.2", "SPOOL_DIR": str(tmp_path / "file")}
    client = client_of(make_runtime(sqlite_engine, **settings))
    with busy(sqlite_engine):
        answer = client.post(PATHS[0], data=b"{}")
    assert answer.status_code == 503
    assert answer.json["type"] == "/problems/storage-unavailable"
    assert int(answer.headers["Retry-After"]) > 0


def test_nothing_that_was_sent_is_in_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    body = bodies.alertmanager([bodies.alert("N4me", password="s3cret")])
    answer = client.post(PATHS[0], data=body, headers={"Authorization": "Bearer s3cret"})
    client.post(PATHS[0], data=b"s3cret", headers={"Content-Encoding": "s3cret"})
    told = "\n".join(str(vars(record)) for record in caplog.records)
    assert "s3cret" not in told
    assert "N4me" not in told
    assert [record.message for record in caplog.records if record.name == "receiver.webhooks"] == [
        "delivery.processed",
        "webhook.refused",
    ]
    assert answer.json["delivery_id"] in told


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
pieces = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["1", "4", 4, ""]),
        "alerts": st.lists(
            anything
            | st.fixed_dictionaries(
                {},
                optional={
                    "status": st.sampled_from(["firing", "resolved", "x"]) | anything,
                    "labels": st.dictionaries(st.text(max_size=12), st.text() | anything, max_size=4)
                    | anything,
                    "annotations": anything,
                    "startsAt": st.sampled_from(["2026-11-21T08:00:00Z", "0001-01-01T00:00:00Z"]) | anything,
                    "endsAt": anything,
                    "fingerprint": anything,
                    "generatorURL": anything,
                    "ruleUID": anything,
                },
            ),
            max_size=3,
        )
        | anything,
        "ruleId": anything,
        "state": anything,
        "orgId": anything,
        "externalURL": anything,
        "groupLabels": anything,
        "truncatedAlerts": anything,
    },
)
some_bodies = st.one_of(
    st.binary(max_size=300),
    anything.map(lambda value: json.dumps(value).encode()),
    pieces.map(lambda value: json.dumps(value).encode()),
    pieces.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)


@example(b"", 0, "application/json")
@example(b"\xff\xfe\x00", 0, "")
@example(b'{"version":"4","alerts":' + b"[" * 2000 + b"]" * 2000 + b"}", 1, "")
@example(b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"\\ud800"}}]}', 2, "")
@example(b'{"version":"4","alerts":[{"status":"firing","labels":{"a":NaN}}]}', 2, "")
@example(b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"\\u0000"}}]}', 2, "\xff")
@given(
    some_bodies, st.integers(0, 2), st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_is_kept_byte_for_byte_and_answered_200(
    client: FlaskClient, engine: Engine, body: bytes, place: int, content_type: str
) -> None:
    answer = client.post(PATHS[place], data=body, content_type=content_type)
    assert answer.status_code == 200
    with reading(engine) as connection:
        wanted = select(deliveries).where(deliveries.c.delivery_id == answer.json["delivery_id"])
        row = connection.execute(wanted).one()
    assert (row.body, row.body_bytes) == (body, len(body))
    assert row.outcome == answer.json["outcome"]
    assert (row.outcome == "processed") == (row.reason is None)

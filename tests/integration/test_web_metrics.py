"""/metrics: what was counted, and what lives in the database."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from receiver.services import figures
from tests.builders import bodies
from tests.builders.web import client_of
from tests.fixtures.runtimes import RuntimeFactory

SLACK = "https://hooks.slack.example/services/T0/B0/x"


@pytest.fixture
def client(engine: Engine, make_runtime: RuntimeFactory, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(figures, "KEEP_SECONDS", 0.0)
    return client_of(make_runtime(engine, SLACK_WEBHOOK_URL=SLACK))


def samples(client: FlaskClient) -> dict[str, float]:
    """All samples by name and labels, as a scrape gives them."""
    return {
        sample.name
        + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


def test_deliveries_alerts_and_the_time_of_intake_are_counted(client: FlaskClient) -> None:
    before = samples(client)

    def grown(name: str) -> float:
        return samples(client).get(name, 0) - before.get(name, 0)

    client.post("/webhook/alert", data=bodies.alertmanager([bodies.alert(host="a"), bodies.alert(host="b")]))
    client.post("/webhook/alert", data=b"nonsense")
    assert grown("receiver_deliveries_total,outcome=processed,source=alertmanager") == 1
    assert grown("receiver_deliveries_total,outcome=quarantined,source=unknown") == 1
    assert grown("receiver_alerts_total,disposition=opened") == 1
    assert grown("receiver_alerts_total,disposition=attached") == 1
    assert grown("receiver_intake_seconds_count") == 2


def test_open_incidents_and_waiting_jobs_are_read_from_the_database(client: FlaskClient) -> None:
    none_yet = samples(client)
    assert none_yet["receiver_database_up"] == 1
    assert none_yet["receiver_open_incidents,priority=P0,status=active"] == 0
    client.post("/webhook/alert", data=bodies.alertmanager([bodies.alert("One"), bodies.alert("Two")]))
    reference = client.get("/api/v1/incidents").json["incidents"][0]["incident_id"]
    client.post(f"/api/v1/incidents/{reference}/ack")
    found = samples(client)
    assert found["receiver_open_incidents,priority=P0,status=active"] == 1
    assert found["receiver_open_incidents,priority=P0,status=acknowledged"] == 1
    assert found["receiver_open_incidents,priority=P4,status=active"] == 0
    assert found["receiver_job_rows,queue=notify-slack,state=ready"] == 2
    assert found["receiver_job_oldest_due_seconds,queue=notify-slack"] >= 0


def test_what_is_read_from_the_database_is_kept_for_a_while(
    sqlite_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    client = client_of(make_runtime(sqlite_engine))
    before = samples(client)
    client.post("/webhook/alert", data=bodies.alertmanager([bodies.alert()]))
    name = "receiver_open_incidents,priority=P0,status=active"
    assert samples(client)[name] == before[name] == 0


def test_without_a_schema_the_other_metrics_still_come(
    empty_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    found = samples(client_of(make_runtime(empty_engine)))
    assert found["receiver_database_up"] == 0
    assert "receiver_intake_seconds_count" in found
    assert not any(name.startswith("receiver_open_incidents") for name in found)


def test_nothing_of_any_alert_is_in_the_metrics(client: FlaskClient) -> None:
    client.post("/webhook/alert", data=bodies.alertmanager([bodies.alert("N4me", cluster="cl4ster")]))
    text = client.get("/metrics").text
    assert "N4me" not in text
    assert "cl4ster" not in text


def test_openmetrics_is_given_to_who_asks_for_it(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.text.rstrip().endswith("# EOF")

"""From a body to its rows, on every engine: nothing lost, nothing doubled, neighbours unharmed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from receiver.domain.delivery import Answer, Delivery
from receiver.errors import StorageUnavailable
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.intake import Intake
from receiver.storage.engine import create_engine, reading
from tests.builders import bodies
from tests.fakes.ports import free_port
from tests.fixtures.runtimes import RuntimeFactory

SLACK = "https://hooks.slack.example/services/T0/B0/x"
NOTIFICATIONS = "SELECT idempotency_key FROM jobs WHERE kind = 'notify' ORDER BY job_id"


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    return make_runtime(engine, SLACK_WEBHOOK_URL=SLACK)


@pytest.fixture
def intake(runtime: Runtime) -> Intake:
    return Intake(runtime)


def accept(intake: Intake, body: bytes) -> Answer:
    return intake.accept(intake.read(body, trace_id=new_trace_id()))


def rows(engine: Engine, query: str, **parameters: Any) -> Sequence[Any]:
    with reading(engine) as connection:
        return connection.execute(text(query), parameters).all()


def test_an_alert_becomes_a_row_an_incident_its_events_and_one_job(intake: Intake, engine: Engine) -> None:
    body = bodies.alertmanager([bodies.alert(service="svc-a", cluster="eu1")])
    answer = accept(intake, body)
    (incident,) = answer.incidents
    assert answer.as_json()["alerts"] == {"received": 1, "opened": 1}
    assert (incident.status, incident.alert_count, incident.number) == ("active", 1, 1)
    (row,) = rows(engine, "SELECT incident_id, disposition, service, cluster, severity FROM grafana_alerts")
    assert tuple(row) == (incident.incident_id, "opened", "svc-a", "eu1", "critical")
    (row,) = rows(
        engine, "SELECT status, priority, title, alert_count, firing_count, open_key FROM incidents"
    )
    assert tuple(row) == ("active", "P0", "CpuHigh", 1, 1, incident.incident_key)
    types = [row.type for row in rows(engine, "SELECT type FROM events ORDER BY event_id")]
    assert types == ["alert.raised", "incident.opened", "notification.requested"]
    of_channel = "SELECT queue, kind, state, incident_id, trace_id FROM jobs WHERE kind = 'notify'"
    (job,) = rows(engine, of_channel)
    assert tuple(job) == ("notify-slack", "notify", "ready", incident.incident_id, answer.trace_id)


def test_a_storm_of_one_kind_is_one_incident_and_one_message(intake: Intake, engine: Engine) -> None:
    for n in range(30):
        accept(intake, bodies.alertmanager([bodies.alert(service="svc-a", instance=f"host-{n}")]))
    (row,) = rows(engine, "SELECT alert_count, firing_count FROM incidents")
    assert tuple(row) == (30, 30)
    assert sorted(row.kind for row in rows(engine, "SELECT kind FROM jobs")) == ["escalate", "notify"]


def test_the_last_resolve_resolves_the_incident_and_asks_for_its_message(
    intake: Intake, engine: Engine
) -> None:
    accept(intake, bodies.alertmanager([bodies.alert()]))
    answer = accept(intake, bodies.alertmanager([bodies.alert(status="resolved")]))
    assert answer.incidents[0].status == "resolved"
    (row,) = rows(engine, "SELECT status, resolved_by, firing_count, open_key FROM incidents")
    assert tuple(row) == ("resolved", "alert", 0, None)
    keys = [row.idempotency_key for row in rows(engine, NOTIFICATIONS)]
    incident_id = answer.incidents[0].incident_id
    assert keys == [f"notify:{incident_id}:slack:opened", f"notify:{incident_id}:slack:resolved"]


def test_firing_again_in_the_same_second_opens_a_second_incident(intake: Intake, engine: Engine) -> None:
    later = bodies.STARTED.replace(hour=13)
    for one in (bodies.alert(), bodies.alert(status="resolved"), bodies.alert(starts_at=later)):
        accept(intake, bodies.alertmanager([one]))
    found = rows(engine, "SELECT incident_id, status FROM incidents ORDER BY incident_id")
    assert [row.status for row in found] == ["resolved", "active"]


def test_one_body_may_open_resolve_and_open_again(intake: Intake, engine: Engine) -> None:
    later = bodies.STARTED.replace(hour=13)
    answer = accept(
        intake,
        bodies.alertmanager([bodies.alert(), bodies.alert(status="resolved"), bodies.alert(starts_at=later)]),
    )
    assert answer.counts == {"opened": 2, "resolved": 1}
    assert len(rows(engine, "SELECT 1 FROM incidents WHERE open_key IS NOT NULL")) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ALERT firing: not JSON at all",
        b"\xff\xfe\x00binary\x00\x80",
        b"[" * 1000 + b"]" * 1000,
        b'{"version": "4", "alerts": null}',
        b'{"version": "4", "alerts": [{"status": "firing", "labels": {"a": "\\ud800"}}]}',
        b'{"version": "4", "alerts": [{"status": "firing", "labels": {"a": "b"}, "values": NaN}]}',
        b'{"any": "custom template"}',
    ],
    ids=["empty", "text", "bytes", "deep", "null", "surrogate", "nan", "custom"],
)
def test_what_is_not_understood_is_kept_byte_for_byte_with_a_reason(
    intake: Intake, engine: Engine, body: bytes
) -> None:
    answer = accept(intake, body)
    assert answer.outcome == "quarantined"
    (row,) = rows(engine, "SELECT body, body_bytes, outcome, reason FROM deliveries")
    assert (bytes(row.body), row.body_bytes, row.outcome) == (body, len(body), "quarantined")
    assert row.reason and row.reason == answer.reason


def test_a_bad_alert_never_takes_its_neighbours_down(intake: Intake, engine: Engine) -> None:
    bad = [7, None, {"status": "firing"}, {"status": "firing", "labels": {"alertname": ["a", "list"]}}]
    body = bodies.alertmanager([bodies.alert(instance="1"), *bad, bodies.alert(instance="2")])
    answer = accept(intake, body)
    assert answer.outcome == "processed"
    assert answer.counts == {"opened": 1, "rejected": 4, "attached": 1}
    reasons = rows(engine, "SELECT reason FROM grafana_alerts WHERE disposition = 'rejected'")
    assert len(reasons) == 4 and all(row.reason for row in reasons)


def test_nan_in_one_alert_rejects_that_one_only(intake: Intake) -> None:
    good, bad = bodies.alert(instance="1"), bodies.alert(instance="2") | {"values": {"A": float("nan")}}
    assert accept(intake, bodies.alertmanager([good, bad])).counts == {"opened": 1, "rejected": 1}


@pytest.mark.parametrize("character", [b'"', b"\\", b"\x00", b"\xff"])
def test_eight_mebibytes_of_the_worst_bytes_are_kept(
    intake: Intake, engine: Engine, character: bytes
) -> None:
    body = character * (8 * 1024 * 1024)
    assert accept(intake, body).outcome == "quarantined"
    (row,) = rows(engine, "SELECT body FROM deliveries")
    assert bytes(row.body) == body


def test_one_alert_of_eight_mebibytes_still_opens_its_incident(intake: Intake, engine: Engine) -> None:
    body = bodies.alertmanager([bodies.alert(annotations={"summary": '"' * (4 * 1024 * 1024 - 2000)})])
    assert accept(intake, body).counts == {"opened": 1}
    (row,) = rows(
        engine, "SELECT d.body, a.raw_payload FROM deliveries d JOIN grafana_alerts a USING (delivery_id)"
    )
    assert bytes(row.body) == body
    assert row.raw_payload is None


def test_five_thousand_alerts_in_one_body_are_five_thousand_rows(intake: Intake, engine: Engine) -> None:
    answer = accept(
        intake, bodies.alertmanager([bodies.alert(instance=str(n), service=str(n % 7)) for n in range(5000)])
    )
    assert answer.counts == {"opened": 7, "attached": 4993}
    (row,) = rows(engine, "SELECT SUM(alert_count), SUM(firing_count) FROM incidents")
    assert tuple(map(int, row)) == (5000, 5000)


def test_each_alerts_own_text_is_kept_as_it_came(intake: Intake, engine: Engine) -> None:
    own = b'{ "status":"firing",  "labels":{"alertname":"A"}, "x": 1.50, "y":"\\u003cb\\u003e" }'
    accept(intake, b'{"version":"4","alerts":[' + own + b"]}")
    (row,) = rows(engine, "SELECT raw_payload FROM grafana_alerts")
    assert row.raw_payload == own.decode()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_in_a_label_comes_back_from_the_database_as_it_was(
    intake: Intake, engine: Engine, value: str
) -> None:
    answer = accept(intake, bodies.alertmanager([bodies.alert(note=value, service=value)]))
    (row,) = rows(engine, "SELECT labels FROM grafana_alerts WHERE delivery_id = :id", id=answer.delivery_id)
    assert json.loads(row.labels)["note"] == value
    assert answer.counts.keys() <= {"opened", "attached", "repeated"}


def test_a_commit_whose_answer_was_lost_is_not_stored_twice(
    mysql_engine: Engine, make_runtime: RuntimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Intake(make_runtime(mysql_engine))
    store = Intake._store

    def commit_and_lose_the_answer(
        self: Intake, connection: Connection, attempt: int, batch: Sequence[Delivery]
    ) -> list[Answer]:
        if attempt == 0:
            with mysql_engine.begin() as other:
                store(self, other, 0, batch)
            raise OperationalError("COMMIT", {}, pymysql.err.OperationalError(2013, "Lost connection"))
        return store(self, connection, attempt, batch)

    monkeypatch.setattr(Intake, "_store", commit_and_lose_the_answer)
    answer = accept(intake, bodies.alertmanager([bodies.alert(instance="1"), bodies.alert(instance="2")]))
    assert answer.counts == {"opened": 1, "attached": 1}
    assert answer.incidents[0].alert_count == 2
    assert len(rows(mysql_engine, "SELECT 1 FROM grafana_alerts")) == 2


def test_a_lost_race_is_run_again_and_joins_the_winners_incident(
    mysql_engine: Engine, make_runtime: RuntimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner, loser = Intake(make_runtime(mysql_engine)), Intake(make_runtime(mysql_engine))
    decide = Intake._decide_and_write
    raced = False

    def after_the_winner(self: Intake, connection: Connection, attempt: int, tallies: Any) -> None:
        nonlocal raced
        if self is loser and not raced:
            raced = True
            ledger = self._locked_ledger(connection, attempt, [tally.delivery for tally in tallies])
            assert ledger.incidents == {}
            accept(winner, bodies.alertmanager([bodies.alert(instance="winner")]))
            monkeypatch.setattr(Intake, "_locked_ledger", lambda *_: ledger)
            try:
                decide(self, connection, attempt, tallies)
            finally:
                monkeypatch.undo()
        decide(self, connection, attempt, tallies)

    monkeypatch.setattr(Intake, "_decide_and_write", after_the_winner)
    answer = accept(loser, bodies.alertmanager([bodies.alert(instance="loser")]))
    assert raced
    assert answer.counts == {"attached": 1}
    assert answer.incidents[0].alert_count == 2


def test_without_a_database_the_sender_is_asked_to_come_again(
    make_runtime: RuntimeFactory, sqlite_engine: Engine
) -> None:
    nowhere = create_engine(f"mysql+pymysql://nobody:nothing@127.0.0.1:{free_port()}/none")
    intake = Intake(dataclasses.replace(make_runtime(sqlite_engine), engine=nowhere))
    with pytest.raises(StorageUnavailable):
        accept(intake, bodies.alertmanager([bodies.alert()]))

"""Each checker sees what it is there for: an evidence that is good, and one that lacks one thing."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update

from faults.bodies import alert_of, body_of
from faults.checks.evidence import Evidence
from faults.checks.outside import actions_run_at_most_once, messages_are_sent_once
from faults.checks.processes import answers_come_in_time, nothing_grows, nothing_is_given_away
from faults.checks.stored import (
    ORDER_TABLE,
    every_2xx_is_stored,
    never_two_open,
    state_is_what_the_model_says,
)
from faults.history import End, Request
from faults.secrets import WEBHOOK_TOKEN
from faults.waiting import WAITING
from faults.watch import Meter, Use
from receiver.clock import utc_now
from receiver.ids import new_trace_id
from receiver.services.intake import Intake
from receiver.storage.tables import deliveries, events, incidents, jobs, notifications

BODY = body_of([alert_of("svc-1", 0, utc_now())])


def request(**changes: Any) -> Request:
    given: dict[str, Any] = {
        "at": 100.0,
        "seconds": 0.01,
        "end": End.OK,
        "status": 200,
        "digest": hashlib.sha256(BODY).hexdigest(),
        "alerts": 1,
        "delivery_id": "",
    }
    return Request(**given | changes)


@pytest.fixture
def evidence(mysql_engine, make_runtime, tmp_path):
    """One delivery, stored as it should be."""
    log = tmp_path / "serve.log"
    log.write_text('{"event": "delivery.processed"}\n')
    stack: Any = SimpleNamespace(
        engine=mysql_engine,
        url="mysql+pymysql://receiver:the-password@127.0.0.1/x",
        slack=SimpleNamespace(url="http://127.0.0.1/services/T/B/the-hook"),
        logs=lambda: {"serve": log},
    )
    intake = Intake(make_runtime(mysql_engine))
    answer = intake.accept(intake.read(BODY, trace_id=new_trace_id()))
    sampler: Any = SimpleNamespace(samples=5, twice=set())
    stack.intake = intake
    return Evidence(
        stack=stack,
        requests=[request(delivery_id=answer.delivery_id)],
        marks=[{"mark": "warm", "at": 1.0}],
        told=[],
        changed=[],
        sampler=sampler,
        meter=Meter({1: Use(50, 10)}, {1: Use(51, 10)}),
    )


def change(evidence, *statements):
    with evidence.stack.engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def test_c1_sees_what_is_lost_changed_or_from_nowhere(evidence):
    assert every_2xx_is_stored(evidence) == []
    (good,) = evidence.requests
    evidence.requests = [good, request(delivery_id="0" * 26)]
    assert "lost" in every_2xx_is_stored(evidence)[0]
    evidence.requests = [request(delivery_id=good.delivery_id, end=End.FAIL, status=401)]
    assert "from nowhere" in every_2xx_is_stored(evidence)[0]
    evidence.requests = [good]
    change(evidence, update(deliveries).values(body=BODY + b" "))
    assert "changed" in every_2xx_is_stored(evidence)[0]


def test_c2_sees_two_open_incidents(evidence):
    assert never_two_open(evidence) == []
    evidence.sampler.twice.add("k")
    assert never_two_open(evidence)


def test_c3_sees_a_wrong_incident(evidence):
    assert state_is_what_the_model_says(evidence) == []
    change(evidence, update(incidents).values(status="resolved"))
    assert state_is_what_the_model_says(evidence)


def test_c3_sees_a_change_that_no_event_tells(evidence):
    change(evidence, delete(events).where(events.c.type == "incident.opened"))
    assert "0 events of its beginning" in state_is_what_the_model_says(evidence)[0]


def test_c3_goes_by_the_databases_count_where_there_is_one(evidence):
    """Ids of alerts do not tell what came first where the clock stepped back."""
    intake = evidence.stack.intake
    later = utc_now() + timedelta(minutes=1)
    for ends_at in (None, later):
        intake.accept(intake.read(body_of([alert_of("svc-2", 0, later, ends_at)]), trace_id=new_trace_id()))
    with evidence.stack.engine.begin() as connection:
        ids = (
            connection.execute(text("SELECT alert_id FROM grafana_alerts ORDER BY alert_id")).scalars().all()
        )
        name = ORDER_TABLE.name
        connection.execute(
            text(f"CREATE TABLE {name} (number INT, connection INT, alert CHAR(26) COLLATE utf8mb4_bin)")
        )
    assert state_is_what_the_model_says(evidence) == []
    order = insert(ORDER_TABLE)
    change(
        evidence, *(order.values(number=9 - at, connection=at, alert=alert) for at, alert in enumerate(ids))
    )
    assert any("should be" in text for text in state_is_what_the_model_says(evidence))
    # Of one connection only the ids tell: a transaction inserts first what belongs to an incident.
    change(evidence, text(f"UPDATE {ORDER_TABLE.name} SET connection = 1"))
    assert state_is_what_the_model_says(evidence) == []


def test_c4_counts_jobs_that_wait_and_no_others(evidence):
    change(evidence, delete(jobs))
    for key, last_error in (
        ("notify:1:opened", None),
        ("notify:1:updated", None),
        ("publish:standing", None),
    ):
        values = {"queue": "q", "kind": "notify", "payload": {}, "max_attempts": 1, "trace_id": "0" * 32}
        change(evidence, insert(jobs).values(idempotency_key=key, last_error=last_error, **values))
    with evidence.stack.engine.connect() as connection:
        assert len(connection.execute(text(WAITING)).all()) == 1


def test_c5_sees_a_change_without_an_action(evidence):
    assert actions_run_at_most_once(evidence) == []
    path = "/apis/apps/v1/namespaces/shop/deployments/svc-1/scale"
    evidence.changed = [{"target": path, "applied": True}]
    assert "svc-1" in actions_run_at_most_once(evidence)[0]


def told(evidence, **changes):
    with evidence.stack.engine.connect() as connection:
        incident_id = connection.execute(text("SELECT incident_id FROM incidents")).scalar_one()
    entry = {"channel": "slack", "incident": incident_id, "what": "trigger", "came": 5.0}
    return entry | {"taken": True, "known": True} | changes


def test_c6_sees_messages_that_are_lost_forgotten_or_doubled_without_need(evidence):
    assert all("nothing is recorded" in text for text in messages_are_sent_once(evidence))
    first = told(evidence)
    for channel in ("slack", "pagerduty"):
        values = {"incident_id": first["incident"], "channel": channel, "template": "opened", "sequence": 0}
        more = {"state": "sent", "job_id": 1, "attempt": 1, "alert_count": 1, "severity": "critical"}
        change(evidence, insert(notifications).values(finished_at=utc_now(), **values, **more))
    assert "never taken" in messages_are_sent_once(evidence)[0]
    evidence.told = [first, told(evidence, channel="pagerduty")]
    assert messages_are_sent_once(evidence) == []
    evidence.told.append(told(evidence, came=9.0))
    assert "without need" in messages_are_sent_once(evidence)[0]
    evidence.marks.append({"mark": "kill", "at": 7.0})
    assert messages_are_sent_once(evidence) == []
    assert evidence.figures["duplicates"] == 1


def test_c7_sees_secrets_in_logs_and_errors_in_answers(evidence):
    assert nothing_is_given_away(evidence) == []
    evidence.requests = [request(end=End.UNKNOWN, status=500, note="internal")]
    assert nothing_is_given_away(evidence)
    evidence.requests = []
    for words in (WEBHOOK_TOKEN, "the-password", "the-hook", "job.bug"):
        evidence.stack.logs()["serve"].write_text(words)
        assert nothing_is_given_away(evidence)


def test_c8_sees_growth(evidence):
    assert nothing_grows(evidence) == []
    evidence.meter.after = {1: Use(150, 10)}
    assert "150 MB" in nothing_grows(evidence)[0]
    evidence.meter.after = {1: Use(50, 90)}
    assert "90 descriptors" in nothing_grows(evidence)[0]


def test_c9_asks_nothing_of_the_p99_where_as_much_is_sent_as_is_taken(evidence):
    evidence.requests = [request(seconds=0.3)]
    evidence.is_saturated = True
    assert answers_come_in_time(evidence) == []
    evidence.requests = [request(seconds=1.6)]
    assert "took 1.60 s" in answers_come_in_time(evidence)[0]


def test_c9_sees_what_is_slow_but_not_what_was_killed(evidence):
    assert answers_come_in_time(evidence) == []
    evidence.requests = [request(seconds=0.3)]
    assert "p99" in answers_come_in_time(evidence)[0]
    evidence.requests = [request(seconds=4, end=End.UNKNOWN, status=None)]
    assert "took 4.00 s" in answers_come_in_time(evidence)[0]
    evidence.marks.append({"mark": "kill", "at": 101.0})
    assert answers_come_in_time(evidence) == []

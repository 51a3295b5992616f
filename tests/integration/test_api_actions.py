"""What people do to an incident: each step is one change, one event, and its consequences."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from receiver.errors import IllegalTransition
from receiver.runtime import Runtime
from receiver.services import incidents
from receiver.services.incidents import Deed
from receiver.storage.engine import reading
from tests.builders import bodies
from tests.builders.web import app_of, client_of
from tests.fixtures.runtimes import RuntimeFactory

SLACK = "https://hooks.slack.example/services/T0/B0/x"


@dataclass(frozen=True)
class Desk:
    """A person at work: one incident, open with two firing alerts, and a client to handle it."""

    client: FlaskClient
    number: int

    @property
    def path(self) -> str:
        return f"/api/v1/incidents/{self.number}"

    def incident(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(self.path).get_json()
        return found

    def timeline(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.client.get(f"{self.path}/timeline?limit=500").json["events"]
        return events

    def act(self, step: str, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{self.path}/{step}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def send(self, body: bytes) -> dict[str, Any]:
        answer = self.client.post("/webhook/alert", data=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    # Nothing is to go to the spool, however slow the disk is: nobody empties it here.
    return make_runtime(engine, SLACK_WEBHOOK_URL=SLACK, INTAKE_BUDGET_SECONDS="20")


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return desk_of(runtime)


def desk_of(runtime: Runtime) -> Desk:
    client = client_of(runtime)
    answer = client.post("/webhook/alert", data=two_alerts())
    return Desk(client, answer.json["incidents"][0]["number"])


def two_alerts(status: str = "firing") -> bytes:
    return bodies.alertmanager([bodies.alert(host="a", status=status), bodies.alert(host="b", status=status)])


def rows(engine: Engine, query: str) -> Sequence[Any]:
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_an_incident_is_acknowledged_resolved_and_closed(desk: Desk) -> None:
    found = desk.act("ack", by="ann")
    assert (found["status"], found["acknowledged_by"], found["firing_count"]) == ("acknowledged", "ann", 2)
    assert found["acknowledged_at"] is not None
    found = desk.act("resolve", by="bob")
    assert (found["status"], found["resolved_by"], found["firing_count"]) == ("resolved", "bob", 0)
    found = desk.act("close", by="cleo")
    assert (found["status"], found["closed_by"]) == ("closed", "cleo")
    assert desk.incident() == found | {"remediation_actions": [], "held": None}


def test_each_step_is_one_event_with_who_when_what_and_why(desk: Desk) -> None:
    before = len(desk.timeline())
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = desk.client.post(
        f"{desk.path}/ack",
        json={"by": "ann", "note": "on it"},
        headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
    )
    (told,) = desk.timeline()[before:]
    assert (told["type"], told["actor"], told["trace_id"]) == ("incident.acknowledged", "ann", trace)
    assert told["payload"] == {"note": "on it", "status": ["active", "acknowledged"]}
    assert told["created_at"] == answer.json["acknowledged_at"]


def test_a_resolve_by_a_person_is_told_to_the_channels_like_any_other(desk: Desk, engine: Engine) -> None:
    desk.act("ack")
    messages = "SELECT idempotency_key, queue FROM jobs WHERE kind = 'notify' ORDER BY job_id"
    assert len(rows(engine, messages)) == 1  # of the opening; Slack has no use for an acknowledgement
    desk.act("resolve", by="ann")
    types = [told["type"] for told in desk.timeline()]
    assert types[-2:] == ["incident.resolved", "notification.requested"]
    keys = rows(engine, messages)
    incident_id = desk.incident()["incident_id"]
    assert keys[1:] == [(f"notify:{incident_id}:slack:resolved", "notify-slack")]


def test_a_resolve_by_a_person_ends_the_firing_episodes(desk: Desk, engine: Engine) -> None:
    desk.act("resolve")
    found = rows(engine, "SELECT status, ended_by FROM alert_episodes")
    assert found == [("resolved", "person")] * 2
    # What the sender repeats meanwhile opens nothing, and its resolve is no surprise.
    answer = desk.send(two_alerts())
    assert answer["alerts"] == {"received": 2, "late": 2}
    assert desk.send(two_alerts("resolved"))["alerts"] == {
        "received": 2,
        "repeated": 2,
    }


def test_after_a_resolve_a_new_firing_opens_a_new_incident(desk: Desk) -> None:
    desk.act("resolve")
    fresh = bodies.alert(host="a", starts_at=bodies.STARTED.replace(day=2))
    (incident,) = desk.send(bodies.alertmanager([fresh]))["incidents"]
    assert incident["number"] > desk.number
    assert incident["disposition"] == "opened"
    assert desk.incident()["status"] == "resolved"


def test_an_old_incident_can_be_closed_while_a_new_one_of_its_kind_is_open(desk: Desk) -> None:
    desk.act("resolve")
    fresh = bodies.alert(host="a", starts_at=bodies.STARTED.replace(day=2))
    (incident,) = desk.send(bodies.alertmanager([fresh]))["incidents"]
    assert desk.act("close")["status"] == "closed"
    assert desk.client.get(f"/api/v1/incidents/{incident['number']}").json["status"] == "active"


@pytest.mark.parametrize(
    ("steps", "refused", "allowed"),
    [
        ((), "close", ["acknowledged", "resolved"]),
        (("ack",), "ack", ["active", "resolved"]),
        (("ack",), "close", ["active", "resolved"]),
        (("resolve",), "ack", ["closed"]),
        (("resolve",), "resolve", ["closed"]),
        (("resolve", "close"), "ack", []),
        (("resolve", "close"), "resolve", []),
        (("resolve", "close"), "close", []),
    ],
)
def test_an_illegal_step_is_409_with_the_legal_ones_and_changes_nothing(
    desk: Desk, engine: Engine, steps: tuple[str, ...], refused: str, allowed: list[str]
) -> None:
    for step in steps:
        desk.act(step)
    before = rows(engine, "SELECT * FROM incidents"), rows(engine, "SELECT * FROM events")
    answer = desk.client.post(f"{desk.path}/{refused}", json={"note": "x"})
    assert (answer.status_code, answer.content_type) == (409, "application/problem+json")
    assert (answer.json["type"], answer.json["allowed"]) == ("/problems/illegal-transition", allowed)
    assert before == (rows(engine, "SELECT * FROM incidents"), rows(engine, "SELECT * FROM events"))


@pytest.mark.parametrize("step", ["ack", "resolve", "close", "assign", "timeline"])
def test_a_step_on_an_unknown_incident_is_404(desk: Desk, step: str) -> None:
    answer = desk.client.post(
        f"/api/v1/incidents/INC-999/{step}", json={"owner": "x"} if step == "assign" else {"note": "x"}
    )
    assert (answer.status_code, answer.json["type"]) == (404, "/problems/unknown-incident")


def test_a_step_needs_no_body(desk: Desk) -> None:
    answer = desk.client.post(f"{desk.path}/ack")
    assert (answer.status_code, answer.json["acknowledged_by"]) == (200, "anonymous")


def test_a_note_sent_as_curl_does_is_not_lost(desk: Desk) -> None:
    desk.client.post(
        f"{desk.path}/ack", data='{"note": "on it"}', content_type="application/x-www-form-urlencoded"
    )
    assert desk.timeline()[-1]["payload"]["note"] == "on it"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'"x"', "body"),
        (b"\xff", "body"),
        (b'{"note":' + b"[" * 5000 + b"]" * 5000 + b"}", "body"),
        (b'{"note": 5}', "note"),
        (b'{"note": "' + b"x" * 2001 + b'"}', "note"),
        (b'{"by": "' + b"x" * 191 + b'"}', "by"),
        (b'{"owner": "x"}', "owner"),
    ],
)
def test_a_body_that_cannot_be_used_is_named(desk: Desk, body: bytes, field: str) -> None:
    answer = desk.client.post(f"{desk.path}/ack", data=body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert desk.incident()["status"] == "active"


def test_a_huge_body_is_refused(desk: Desk) -> None:
    assert desk.client.post(f"{desk.path}/ack", data=b" " * 70_000).status_code == 413


def test_with_tokens_the_actor_is_the_tokens_name_whatever_is_said(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    desk = desk_of(make_runtime(engine, API_TOKENS="rob:responder:tok-r"))
    rob = {"Authorization": "Bearer tok-r"}
    answer = desk.client.post(f"{desk.path}/ack", json={"by": "ada"}, headers=rob)
    assert answer.json["acknowledged_by"] == "rob"


def test_an_incident_gets_an_owner_and_loses_it(desk: Desk) -> None:
    before = len(desk.timeline())
    assert desk.act("assign", owner="ann", by="bob", note="yours")["owner"] == "ann"
    assert desk.act("assign", owner="ann")["owner"] == "ann"  # says nothing new
    assert desk.act("assign", owner=None)["owner"] is None
    told = desk.timeline()[before:]
    assert [event["type"] for event in told] == ["incident.updated"] * 2
    assert told[0]["payload"] == {"changes": {"owner": [None, "ann"]}, "note": "yours"}
    assert told[0]["actor"] == "bob"
    for body in ({}, {"owner": ""}, {"owner": "  "}):
        assert desk.client.post(f"{desk.path}/assign", json=body).json["errors"].keys() == {"owner"}


def test_a_note_goes_into_the_timeline(desk: Desk) -> None:
    desk.act("timeline", note="tried turning it off 💥", by="ann")
    told = desk.timeline()[-1]
    assert (told["type"], told["actor"]) == ("incident.updated", "ann")
    assert told["payload"] == {"note": "tried turning it off 💥"}
    for nothing in ("", " \t\n"):
        refused = desk.client.post(f"{desk.path}/timeline", json={"note": nothing})
        assert refused.status_code == 422 and refused.json["errors"].keys() == {"note"}


def test_of_many_who_resolve_at_once_one_does_and_the_others_are_told_so(
    desk: Desk, runtime: Runtime
) -> None:
    outcomes: list[str] = []

    def resolve(name: str) -> None:
        try:
            outcomes.append(incidents.resolve(runtime, str(desk.number), Deed(name, "0" * 32))["resolved_by"])
        except IllegalTransition:
            outcomes.append("illegal")

    threads = [threading.Thread(target=resolve, args=(f"p{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes)[:5] == ["illegal"] * 5
    assert [told["type"] for told in desk.timeline()].count("incident.resolved") == 1


def test_people_and_alerts_at_once_leave_the_books_right(
    desk: Desk, runtime: Runtime, engine: Engine
) -> None:
    failures: list[BaseException] = []
    app = app_of(runtime)

    def storm(number: int) -> None:
        for n in range(10):
            alert = bodies.alert(host=f"h{number}-{n}", starts_at=bodies.STARTED.replace(hour=13, minute=n))
            answer = app.test_client().post("/webhook/alert", data=bodies.alertmanager([alert]))
            if answer.status_code != 200:
                failures.append(AssertionError(answer.text))

    def people() -> None:
        for _ in range(20):
            for incident in app.test_client().get("/api/v1/incidents?status=open").json["incidents"]:
                try:
                    incidents.resolve(runtime, incident["incident_id"], Deed("p", "0" * 32))
                except IllegalTransition:
                    pass
                except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
                    failures.append(error)

    threads = [threading.Thread(target=storm, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=people) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(110)
    assert failures == []
    wrong = (
        "SELECT i.incident_id FROM incidents i LEFT JOIN grafana_alerts a ON a.incident_id = i.incident_id"
        " GROUP BY i.incident_id, i.alert_count HAVING COUNT(a.alert_id) <> i.alert_count"
    )
    assert rows(engine, wrong) == []
    assert rows(engine, "SELECT COUNT(*) FROM grafana_alerts") == [(42,)]
    ended = "SELECT e.episode_key FROM alert_episodes e JOIN incidents i ON i.incident_id = e.incident_id"
    assert rows(engine, f"{ended} WHERE i.status = 'resolved' AND e.status = 'firing'") == []
    twice = "SELECT incident_id FROM events WHERE type = 'incident.resolved' GROUP BY incident_id HAVING COUNT(*) > 1"
    assert rows(engine, twice) == []


@pytest.mark.parametrize("step", ["ack", "assign", "timeline"])
def test_a_step_whose_commit_was_answered_by_silence_is_done_once_and_succeeds(
    desk: Desk, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = len(desk.timeline())
    lost_answers = iter([True])
    real_begin = type(runtime.engine).begin

    def begin(engine: Engine) -> Any:
        context = real_begin(engine)

        class Losing:
            def __enter__(self) -> Connection:
                return context.__enter__()

            def __exit__(self, *details: Any) -> Any:
                suppressed = context.__exit__(*details)
                if details[0] is None and next(lost_answers, False):
                    raise OperationalError("COMMIT", {}, pymysql.err.OperationalError(2013, "lost"))
                return suppressed

        return Losing()

    monkeypatch.setattr(type(runtime.engine), "begin", begin)
    body = {"owner": "ann"} if step == "assign" else {"note": "x"}
    answer = desk.client.post(f"{desk.path}/{step}", json=body)
    assert answer.status_code == 200
    assert len(desk.timeline()) == before + 1

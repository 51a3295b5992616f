"""GET /api/v1/incidents and what hangs below each: filters, pages, problems."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, insert, update

from receiver.runtime import Runtime
from receiver.storage.tables import incidents
from tests.builders import bodies
from tests.builders.web import client_of
from tests.fixtures.runtimes import RuntimeFactory

LIST = "/api/v1/incidents"
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

Add = Callable[..., str]


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    return make_runtime(engine)


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return client_of(runtime)


@pytest.fixture
def add(engine: Engine) -> Add:
    """A function that writes an incident with these columns and returns its id."""
    numbers = itertools.count(1)

    def write(**columns: Any) -> str:
        number = next(numbers)
        key = f"{number:016x}"
        opened_at = columns.get("opened_at", NINE + timedelta(minutes=number))
        row = {
            "incident_id": f"INC-{opened_at:%Y%m%d%H%M%S}-{key}",
            "incident_key": key,
            "status": "active",
            "priority": "P2",
            "severity": "warning",
            "title": "",
            "summary": "",
            "rule_uid": "r",
            "cluster": "",
            "namespace": "",
            "service": "",
            "phase": "",
            "labels": {},
            "links": {},
            "opened_at": opened_at,
            "last_seen_at": opened_at,
            "trace_id": "0" * 32,
        } | columns
        with engine.begin() as connection:
            connection.execute(insert(incidents).values(row))
        return str(row["incident_id"])

    return write


def send(client: FlaskClient, body: bytes) -> str:
    """Sends alerts of one kind; returns the path of their incident."""
    answer = client.post("/webhook/alert", data=body)
    return f"{LIST}/INC-{answer.json['incidents'][0]['number']}"


def found(client: FlaskClient, query: str = "") -> list[str]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200, answer.text
    return [incident["incident_id"] for incident in answer.json["incidents"]]


def wrong(client: FlaskClient, query: str) -> dict[str, list[str]]:
    answer = client.get(f"{LIST}?{query}")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert answer.json["type"] == "/problems/invalid-field"
    errors: dict[str, list[str]] = answer.json["errors"]
    assert all(field in answer.json["detail"] for field in errors)
    return errors


def test_the_newest_come_first(client: FlaskClient, add: Add) -> None:
    ids = [add() for _ in range(3)]
    assert found(client) == ids[::-1]


def test_one_incident_has_all_that_people_need(client: FlaskClient) -> None:
    alert = bodies.alert("CpuHigh", cluster="eu1", namespace="shop", service="cart")
    path = send(client, bodies.alertmanager([alert]))
    (incident,) = client.get(LIST).json["incidents"]
    assert path == f"{LIST}/INC-{incident['number']}"
    assert (
        incident
        | {
            "status": "active",
            "mitigation": "none",
            "priority": "P0",
            "severity": "critical",
            "title": "CpuHigh",
            "cluster": "eu1",
            "namespace": "shop",
            "service": "cart",
            "phase": "",
            "owner": None,
            "alert_count": 1,
            "firing_count": 1,
            "acknowledged_at": None,
            "resolved_by": None,
        }
        == incident
    )
    assert incident["labels"]["alertname"] == "CpuHigh"
    assert incident["opened_at"] == incident["last_seen_at"]
    assert incident["opened_at"].endswith("Z")
    more = {"held": None, "remediation_actions": []}
    assert client.get(f"{LIST}/{incident['incident_id']}").json == incident | more


@pytest.mark.parametrize("reference", ["{id}", "INC-{number}", "inc-{number}", "{number}"])
def test_an_incident_is_found_by_id_and_by_number(client: FlaskClient, add: Add, reference: str) -> None:
    add()
    wanted = add()
    number = client.get(f"{LIST}/{wanted}").json["number"]
    answer = client.get(f"{LIST}/{reference.format(id=wanted, number=number)}")
    assert answer.json["incident_id"] == wanted


@pytest.mark.parametrize(
    "reference",
    ["999", "INC-999", "INC-20261121090000-0000000000000000", "x", "%F0%9F%92%A5", "%00", "9" * 40, "'"],
)
@pytest.mark.parametrize("below", ["", "/alerts", "/timeline"])
def test_an_unknown_incident_is_404(client: FlaskClient, add: Add, reference: str, below: str) -> None:
    add()
    answer = client.get(f"{LIST}/{reference}{below}")
    assert (answer.status_code, answer.json["type"]) == (404, "/problems/unknown-incident")


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("", {"active", "acknowledged", "resolved", "closed"}),
        ("status=open", {"active", "acknowledged"}),
        ("status=active", {"active"}),
        ("status=open,closed", {"active", "acknowledged", "closed"}),
        ("status=resolved&status=closed", {"resolved", "closed"}),
        ("status=", {"active", "acknowledged", "resolved", "closed"}),
    ],
)
def test_by_status(client: FlaskClient, add: Add, query: str, statuses: set[str]) -> None:
    by_id = {add(status=status): status for status in ("active", "acknowledged", "resolved", "closed")}
    assert {by_id[incident_id] for incident_id in found(client, query)} == statuses


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("priority", ("P0", "P1", "P4")),
        ("severity", ("critical", "warning", "info")),
        ("service", ("cart", "Cart", "pay")),  # label values are compared exactly
        ("cluster", ("eu1", "eu2", "")),
        ("namespace", ("shop", "日本", "x")),
        ("owner", ("ann", "bob", None)),
    ],
)
def test_by_each_column(client: FlaskClient, add: Add, column: str, values: tuple[str, ...]) -> None:
    first, second, _ = (add(**{column: value}) for value in values)
    assert found(client, f"{column}={values[0]}") == [first]
    assert found(client, f"{column}={values[0]},{values[1]}") == [second, first]


def test_filters_restrict_together(client: FlaskClient, add: Add) -> None:
    add(service="cart", cluster="eu1")
    wanted = add(service="cart", cluster="eu2")
    add(service="pay", cluster="eu2")
    assert found(client, "service=cart&cluster=eu2") == [wanted]


def test_by_time_of_opening(client: FlaskClient, add: Add) -> None:
    ids = [add(opened_at=NINE + timedelta(hours=n)) for n in range(3)]
    assert found(client, "since=2026-11-21T10:00:00Z") == [ids[2], ids[1]]
    assert found(client, "until=2026-11-21T11:00:00Z") == [ids[1], ids[0]]
    assert found(client, "since=2026-11-21T12:00:00%2B02:00&until=2026-11-21T11:00:00Z") == [ids[1]]


def test_by_text_in_title_summary_service_and_id(client: FlaskClient, add: Add) -> None:
    ids = [
        add(title="Disk is 100% full"),
        add(summary="the disk_of cart"),
        add(service="DISKMON"),
        add(title="Übung macht den Meister 💥"),
    ]
    assert found(client, "q=disk") == [ids[2], ids[1], ids[0]]
    assert found(client, "q=100%25") == [ids[0]]
    assert found(client, "q=disk_of") == [ids[1]]  # no wildcard: it would find "disk is" too
    assert found(client, "q=%25") == [ids[0]]
    assert found(client, "q=💥") == [ids[3]]
    assert found(client, f"q={ids[1]}") == [ids[1]]
    assert found(client, f"q={ids[1].rpartition('-')[2]}") == [ids[1]]
    number = client.get(f"{LIST}/{ids[3]}").json["number"]
    assert found(client, f"q=INC-{number}") == [ids[3]]
    assert found(client, "q=/'\"%5C") == []


def test_pages_hold_every_incident_once(client: FlaskClient, add: Add) -> None:
    same_time = [add(opened_at=NINE) for _ in range(4)]
    ids = sorted(
        [*same_time, add(opened_at=NINE - timedelta(days=1)), add(opened_at=NINE + timedelta(days=1))]
    )
    for limit in (1, 2, 5, 6, 7):
        assert list(walk(client, LIST, "incidents", "incident_id", limit)) == ids[::-1]


def test_a_new_incident_does_not_shift_the_pages(client: FlaskClient, add: Add) -> None:
    ids = [add() for _ in range(4)]
    first = client.get(f"{LIST}?limit=2").json
    add()
    second = client.get(f"{LIST}?limit=2&cursor={first['next_cursor']}").json
    assert [incident["incident_id"] for incident in second["incidents"]] == ids[1::-1]


def walk(client: FlaskClient, path: str, name: str, column: str, limit: int) -> Iterator[Any]:
    cursor = ""
    while True:
        page = client.get(f"{path}?limit={limit}{cursor}").json
        assert len(page[name]) <= limit
        yield from (row[column] for row in page[name])
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=foo", "status"),
        ("status=active,foo", "status"),
        ("priority=P9", "priority"),
        ("severity=bad", "severity"),
        ("since=yesterday", "since"),
        ("until=2026-11-21T09:00:00", "until"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("q=" + "x" * 201, "q"),
        ("statsu=active", "statsu"),
    ],
)
def test_a_wrong_filter_is_named(client: FlaskClient, query: str, field: str) -> None:
    errors = wrong(client, query)
    assert list(errors) == [field]
    assert errors[field]


def test_all_wrong_filters_are_named_at_once(client: FlaskClient) -> None:
    assert set(wrong(client, "status=foo&limit=0&colour=red")) == {"status", "limit", "colour"}


def test_the_alerts_of_an_incident_come_newest_first_with_what_became_of_them(client: FlaskClient) -> None:
    for status in ("firing", "firing", "resolved"):
        path = send(client, bodies.alertmanager([bodies.alert(status=status)]))
    page = client.get(f"{path}/alerts").json
    assert [alert["disposition"] for alert in page["alerts"]] == ["resolved", "repeated", "opened"]
    newest = page["alerts"][0]
    assert newest["labels"] == {"alertname": "CpuHigh", "severity": "critical"}
    assert newest["starts_at"] == "2026-03-01T12:00:00.000Z"
    assert len(newest["delivery_id"]) == 26
    assert "raw_payload" not in newest
    ids = [alert["alert_id"] for alert in page["alerts"]]
    assert list(walk(client, f"{path}/alerts", "alerts", "alert_id", 1)) == ids


def test_the_original_json_of_an_alert_comes_when_asked_for(client: FlaskClient) -> None:
    body = bodies.alertmanager([bodies.alert(odd="☃")])
    path = send(client, body)
    (alert,) = client.get(f"{path}/alerts?raw=1").json["alerts"]
    assert alert["raw_payload"].encode() in body


def test_the_timeline_tells_what_happened_in_order(client: FlaskClient) -> None:
    for status in ("firing", "resolved"):
        path = send(client, bodies.alertmanager([bodies.alert(status=status)]))
    page = client.get(f"{path}/timeline").json
    types = ["alert.raised", "incident.opened", "alert.resolved", "incident.resolved"]
    assert [event["type"] for event in page["events"]] == types
    assert {event["actor"] for event in page["events"]} == {"alertmanager"}
    assert page["next_cursor"] is None
    assert list(walk(client, f"{path}/timeline", "events", "type", 1)) == types


def test_a_filter_of_one_list_is_unknown_to_another(client: FlaskClient, add: Add) -> None:
    reference = add()
    answer = client.get(f"{LIST}/{reference}/timeline?status=open")
    assert list(answer.json["errors"]) == ["status"]


def test_the_list_of_a_large_table_is_read_from_an_index(
    mysql_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    statements: list[tuple[str, Any]] = []
    client = client_of(make_runtime(mysql_engine))

    @event.listens_for(Engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "FROM incidents" in statement:
            statements.append((statement, parameters))

    try:
        client.get(LIST)
        client.get(f"{LIST}?status=resolved")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    _fill(mysql_engine, 20_000)  # a smaller table is cheaper to read and sort as a whole
    for statement, parameters in statements:
        with mysql_engine.connect() as connection:
            plan = (
                connection.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters)
                .mappings()
                .all()
            )
        assert [row["key"] for row in plan] != [None]
        assert "filesort" not in str(plan[0]["Extra"])


def _fill(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        rows = (
            {
                "incident_id": f"INC-20261121090000-{n:016x}",
                "incident_key": f"{n:016x}",
                "status": "resolved",
                "priority": "P2",
                "severity": "warning",
                **dict.fromkeys(
                    ("title", "summary", "rule_uid", "cluster", "namespace", "service", "phase"), "x"
                ),
                "labels": {},
                "links": {},
                "opened_at": NINE + timedelta(seconds=n),
                "last_seen_at": NINE,
                "trace_id": "0" * 32,
            }
            for n in range(number)
        )
        connection.execute(insert(incidents), list(rows))
        connection.execute(update(incidents).where(incidents.c.number % 10 == 0).values(status="closed"))
        connection.exec_driver_sql("ANALYZE TABLE incidents")

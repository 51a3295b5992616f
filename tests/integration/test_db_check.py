"""`receiver db check` is silent while the books balance, and names each thing that is off."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from receiver.ids import new_trace_id
from receiver.services import check as service
from receiver.services.check import MOST_NAMED, Report, check_database
from receiver.services.intake import Intake
from receiver.storage import check as queries
from receiver.storage.engine import error_code
from receiver.storage.migrate import upgrade
from receiver.storage.tables import incidents
from tests.builders import bodies
from tests.fixtures.runtimes import RuntimeFactory


def fill(engine: Engine, make_runtime: RuntimeFactory) -> None:
    """Three incidents (one of them resolved), repeats, a rejected alert, a Grafana test and a quarantined body."""
    intake = Intake(make_runtime(engine))
    pods = [bodies.alert("PodDown", pod=f"p{n}") for n in range(3)]
    test = {"alertname": "TestAlert", "instance": "Grafana"}
    for body in (
        bodies.alertmanager(pods),
        bodies.alertmanager(pods),
        bodies.alertmanager([bodies.alert("DiskFull"), {"labels": "none"}]),
        bodies.alertmanager([bodies.alert("Slow")]),
        bodies.alertmanager([bodies.alert("Slow", status="resolved")]),
        bodies.grafana([{"status": "firing", "labels": test, "startsAt": "2026-03-01T12:00:00Z"}]),
        b"no JSON at all",
    ):
        intake.accept(intake.read(body, trace_id=new_trace_id()))


@pytest.fixture
def filled(engine: Engine, make_runtime: RuntimeFactory) -> Engine:
    fill(engine, make_runtime)
    return engine


@pytest.fixture
def bendable(empty_engine: Engine, make_runtime: RuntimeFactory) -> Engine:
    """Filled like `filled`, with a schema that the test may change."""
    upgrade(empty_engine)
    fill(empty_engine, make_runtime)
    return empty_engine


def change(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def wrong(report: Report) -> dict[str, list[str]]:
    """What is off, by name and promise."""
    return {f"{one.name} {one.promise}": one.named for one in report.checks if one.wrong}


def one_id(engine: Engine, query: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(query)).scalars().first())


def test_a_database_in_order_passes_and_the_ledger_is_told(filled: Engine) -> None:
    report = check_database(filled)
    assert wrong(report) == {}
    assert report.is_clean
    assert {name: count for name, count in report.ledger.items() if count} == {
        "opened": 3,
        "attached": 2,
        "repeated": 3,
        "rejected": 1,
        "resolved": 1,
        "test": 1,
    }
    counted = {one.promise: one.counted for one in report.checks}
    assert counted["one open incident per key"] == "2 open"
    assert counted["alert_count = rows + pruned"] == "3 incidents"
    assert counted["each delivery has a row per alert"] == "7 deliveries"
    assert counted["received = sum of dispositions"] == "11 alerts"


def test_an_empty_database_without_tables_is_told_to_upgrade(empty_engine: Engine) -> None:
    report = check_database(empty_engine)
    assert not report.is_clean
    assert ["receiver db upgrade" in line for lines in wrong(report).values() for line in lines] == [True]


def test_a_wrong_alert_count_is_named(filled: Engine) -> None:
    incident = one_id(filled, "SELECT incident_id FROM incidents WHERE rule_uid = 'am:PodDown'")
    change(filled, f"UPDATE incidents SET alert_count = 7 WHERE incident_id = '{incident}'")
    assert wrong(check_database(filled)) == {
        "I3 alert_count = rows + pruned": [f"{incident}: alert_count 7, there are 6 rows"]
    }


def test_pruned_alerts_stay_counted(filled: Engine) -> None:
    incident = one_id(filled, "SELECT incident_id FROM incidents WHERE rule_uid = 'am:PodDown'")
    of_incident = f"incident_id = '{incident}'"
    before = f"(SELECT COUNT(*) FROM grafana_alerts WHERE {of_incident})"
    change(
        filled,
        f"UPDATE incidents SET alerts_pruned = {before} WHERE {of_incident}",
        "UPDATE deliveries SET alerts_pruned = alerts_received WHERE delivery_id IN"
        f" (SELECT delivery_id FROM grafana_alerts WHERE {of_incident})",
        f"DELETE FROM grafana_alerts WHERE {of_incident}",
        # What retention does on SQLite by hand, and on MySQL by its session variable.
        f"UPDATE incidents SET alert_count = alerts_pruned WHERE {of_incident}",
    )
    report = check_database(filled)
    assert wrong(report) == {}
    assert report.ledger["pruned"] == 6


def test_a_wrong_firing_count_is_named(filled: Engine) -> None:
    incident = one_id(filled, "SELECT incident_id FROM incidents WHERE rule_uid = 'am:DiskFull'")
    change(filled, f"UPDATE alert_episodes SET status = 'resolved' WHERE incident_id = '{incident}'")
    assert wrong(check_database(filled)) == {
        "I3 firing_count = firing episodes": [f"{incident}: firing_count 1, 0 episodes are firing"]
    }


def test_a_delivery_whose_alerts_are_gone_is_named(filled: Engine) -> None:
    alert = one_id(filled, "SELECT alert_id FROM grafana_alerts WHERE disposition = 'test'")
    delivery = one_id(filled, f"SELECT delivery_id FROM grafana_alerts WHERE alert_id = '{alert}'")
    change(filled, f"DELETE FROM grafana_alerts WHERE alert_id = '{alert}'")
    assert wrong(check_database(filled)) == {
        "I4 each delivery has a row per alert": [f"{delivery}: received 1 alerts, there are 0 rows"],
        "I4 received = sum of dispositions": ["11 received, 10 accounted for"],
    }


def test_an_alert_that_opened_nothing_is_named(filled: Engine) -> None:
    alert = one_id(filled, "SELECT alert_id FROM grafana_alerts WHERE disposition = 'rejected'")
    change(filled, f"UPDATE grafana_alerts SET disposition = 'opened' WHERE alert_id = '{alert}'")
    assert wrong(check_database(filled)) == {
        "I4 dispositions and incidents agree": [f"alert {alert} is opened, its incident: none"]
    }


def test_a_missing_trigger_is_named(bendable: Engine) -> None:
    change(bendable, "DROP TRIGGER trg_update_alert_count_on_insert")
    assert list(wrong(check_database(bendable))) == ["triggers missing: trg_update_alert_count_on_insert"]


@pytest.mark.parametrize("dialect", ["mysql"])  # SQLite cannot be brought to drop the unique key of a table
def test_two_open_incidents_of_one_key_are_named(bendable: Engine) -> None:
    key = one_id(bendable, "SELECT incident_key FROM incidents WHERE rule_uid = 'am:DiskFull'")
    columns = ", ".join(
        column.name for column in incidents.c if column.name not in ("incident_id", "number", "open_key")
    )
    change(
        bendable,
        "DROP INDEX uq_incidents_open_key ON incidents",
        "DROP TRIGGER trg_prevent_duplicate_open_incident",
        f"INSERT INTO incidents (incident_id, {columns}) SELECT 'INC-2', {columns} FROM incidents"
        f" WHERE incident_key = '{key}'",
    )
    found = wrong(check_database(bendable))["I2 one open incident per key"]
    assert found[1:] == [f"key {key} has 2 open incidents"]
    assert "unique key" in found[0]


def test_all_is_found_however_the_rows_fall_into_stretches(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(filled, "UPDATE incidents SET alert_count = alert_count + 1")
    together = check_database(filled)

    def small(connection: Connection, key: object) -> object:
        return queries.stretches(connection, key, rows=1)  # type: ignore[arg-type]  # whatever is passed on

    monkeypatch.setattr(service, "queries", _Patched(small))
    assert check_database(filled) == together
    assert together.checks[3].wrong == 3


class _Patched:
    """storage.check with another `stretches`."""

    def __init__(self, stretches: object) -> None:
        self.stretches = stretches

    def __getattr__(self, name: str) -> object:
        return getattr(queries, name)


def test_only_the_first_are_named_but_all_are_counted(engine: Engine, make_runtime: RuntimeFactory) -> None:
    intake = Intake(make_runtime(engine))
    many = [bodies.alert(service=f"s{n}") for n in range(MOST_NAMED + 5)]
    intake.accept(intake.read(bodies.alertmanager(many), trace_id=new_trace_id()))
    change(engine, "UPDATE incidents SET alert_count = 99")
    (check,) = (one for one in check_database(engine).checks if one.wrong)
    assert (check.wrong, len(check.named)) == (MOST_NAMED + 5, MOST_NAMED)


def test_it_sees_one_moment_while_writers_go_on(filled: Engine, make_runtime: RuntimeFactory) -> None:
    with queries.snapshot(filled) as connection:
        before = queries.open_incidents(connection)
        intake = Intake(make_runtime(filled))
        late = bodies.alertmanager([bodies.alert("Late")])
        answer = intake.accept(intake.read(late, trace_id=new_trace_id()))
        assert _dispositions(connection) == ["opened"] * 3
        assert queries.open_incidents(connection) == before
    assert len(answer.incidents) == 1


def _dispositions(connection: Connection) -> Sequence[str]:
    query = "SELECT disposition FROM grafana_alerts WHERE disposition = 'opened'"
    return list(connection.execute(text(query)).scalars())


@pytest.mark.parametrize("dialect", ["mysql"])  # SQLite knows no transaction that refuses writes
def test_the_server_itself_refuses_writes_meanwhile(filled: Engine) -> None:
    with queries.snapshot(filled) as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text("UPDATE incidents SET alert_count = 0"))
    assert error_code(refused.value) == 1792  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION

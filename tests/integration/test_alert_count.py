"""I3: the trigger counts every row of an incident, be it for itself or by another of the same transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, insert, select

from receiver.ids import new_trace_id
from receiver.services.intake import Intake
from receiver.storage.tables import grafana_alerts, incidents
from tests.builders import bodies
from tests.fixtures.runtimes import RuntimeFactory


@pytest.fixture
def intake(engine: Engine, make_runtime: RuntimeFactory) -> Intake:
    return Intake(make_runtime(engine))


def record(intake: Intake, *listed: list[dict[str, object]], batch_seconds: float = 0) -> None:
    """Bodies with these alerts in one transaction, each received `batch_seconds` after the one before."""
    batch = [intake.read(bodies.alertmanager(some), trace_id=new_trace_id()) for some in listed]
    for place, delivery in enumerate(batch):
        delivery.received_at += timedelta(seconds=place * batch_seconds)
    intake.record(batch)


def kind(service: str, instance: int) -> dict[str, object]:
    return bodies.alert(service=service, instance=f"i{instance}")


def test_one_row_of_an_incident_and_transaction_counts_for_all(intake: Intake, engine: Engine) -> None:
    record(intake, [kind("a", 1), kind("b", 1), kind("a", 2)], [kind("a", 3), kind("b", 2)])
    record(intake, [kind("a", 4)])
    counts = select(incidents.c.service, incidents.c.alert_count).order_by(incidents.c.service)
    marks = select(grafana_alerts.c.service, grafana_alerts.c.counts_for).order_by(grafana_alerts.c.alert_id)
    with engine.connect() as connection:
        assert connection.execute(counts).all() == [("a", 4), ("b", 2)]
        assert connection.execute(marks).all() == [
            ("a", 0), ("b", 0), ("a", 0), ("a", 3), ("b", 2), ("a", 1),
        ]  # fmt: skip


@pytest.mark.parametrize("batch_seconds", [5, -5])
def test_the_incident_was_seen_when_its_latest_row_came_in_whatever_order(
    intake: Intake, engine: Engine, batch_seconds: float
) -> None:
    record(intake, [kind("a", 1)], [kind("a", 2)], [kind("a", 3)], batch_seconds=batch_seconds)
    with engine.connect() as connection:
        seen = connection.execute(select(incidents.c.last_seen_at)).scalar_one()
        assert seen == connection.execute(select(func.max(grafana_alerts.c.received_at))).scalar_one()
        assert connection.execute(select(incidents.c.alert_count)).scalar_one() == 3
        assert connection.execute(select(func.sum(grafana_alerts.c.counts_for))).scalar_one() == 3


def test_alerts_without_an_incident_count_for_themselves(intake: Intake, engine: Engine) -> None:
    gone = [bodies.alert(service=name, status="resolved") for name in "ab"]
    record(intake, gone)
    with engine.connect() as connection:
        found = connection.execute(select(grafana_alerts.c.incident_id, grafana_alerts.c.counts_for)).all()
    assert found == [(None, 1), (None, 1)]


def test_a_row_that_says_nothing_counts_for_itself(intake: Intake, engine: Engine) -> None:
    record(intake, [kind("a", 1)])
    with engine.begin() as connection:
        row = dict(connection.execute(select(grafana_alerts)).mappings().one())
        del row["counts_for"]
        connection.execute(insert(grafana_alerts), [row | {"alert_id": f"{place:026}"} for place in (1, 2)])
        assert connection.execute(select(incidents.c.alert_count)).scalar_one() == 3


def test_rows_in_several_statements_are_all_counted(
    intake: Intake, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.storage.bulk._STATEMENT_CHARACTERS", 100)  # each row a statement of its own
    record(intake, [kind("a", place) for place in range(5)])
    with engine.connect() as connection:
        assert connection.execute(select(incidents.c.alert_count)).scalar_one() == 5

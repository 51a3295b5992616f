"""The reference model says what docs/architecture.md says, and `differences` sees what differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from faults.bodies import Senders, alert_of, body_of
from faults.model import Model, StoredAlert, StoredIncident, differences, key_of
from receiver.domain.key import incident_key

START = datetime(2026, 3, 1, tzinfo=UTC)


def firing(minute: int = 0, member: int = 0):
    return alert_of("svc-1", member, START + timedelta(minutes=minute))


def resolved(minute: int = 0, member: int = 0):
    return alert_of("svc-1", member, START + timedelta(minutes=minute), START + timedelta(hours=1))


@pytest.mark.parametrize(
    ("alerts", "dispositions"),
    [
        ([firing(), firing()], ["opened", "repeated"]),
        ([firing(), firing(member=1)], ["opened", "attached"]),
        ([firing(), firing(5)], ["opened", "attached"]),
        ([firing(5), firing()], ["opened", "repeated"]),
        ([firing(), resolved()], ["opened", "resolved"]),
        ([firing(), resolved(), resolved()], ["opened", "resolved", "repeated"]),
        ([firing(), resolved(), firing()], ["opened", "resolved", "late"]),
        ([firing(), resolved(), firing(5)], ["opened", "resolved", "opened"]),
        ([resolved()], ["orphan"]),
        ([resolved(), firing()], ["orphan", "late"]),
        ([resolved(), firing(5)], ["orphan", "opened"]),
        ([firing(5), resolved()], ["opened", "orphan"]),
    ],
)
def test_the_model_decides_as_the_table_says(alerts, dispositions):
    model = Model()
    assert [model.admit(one)[0] for one in alerts] == dispositions


def test_an_incident_lasts_as_long_as_one_of_its_members_fires():
    model = Model()
    for one in (firing(), firing(member=1), resolved()):
        model.admit(one)
    assert [incident.is_over for incident in model.incidents] == [False]
    model.admit(resolved(member=1))
    assert [(incident.is_over, incident.alerts) for incident in model.incidents] == [(True, 4)]


def test_the_key_is_the_receivers():
    labels = firing()["labels"]
    assert key_of(labels) == incident_key("rule-svc-1", "prod", "shop", "svc-1", "")


def stored():
    """A firing and its resolve, as they should be stored."""
    key = key_of(firing()["labels"])
    bodies = {"D1": body_of([firing(), firing(member=1)]), "D2": body_of([resolved()]), "D3": b"rubbish"}
    rows = [
        StoredAlert("A1", "D1", "opened", "INC-1", key),
        StoredAlert("A2", "D1", "attached", "INC-1", key),
        StoredAlert("A3", "D2", "resolved", "INC-1", key),
    ]
    return bodies, rows, [StoredIncident("INC-1", key, "active", 3, 1)]


def test_what_is_stored_rightly_differs_in_nothing():
    assert differences(*stored()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": "resolved"},
        {"alert_count": 2},
        {"firing_count": 2},
        {"incident_key": "0" * 16},
        {"incident_id": "INC-2"},
    ],
)
def test_a_wrong_incident_is_seen(change):
    bodies, rows, (incident,) = stored()
    assert differences(bodies, rows, [replace(incident, **change)])


def test_a_wrong_lost_or_foreign_alert_is_seen():
    bodies, rows, incidents = stored()
    assert differences(bodies, [rows[0], replace(rows[1], disposition="repeated"), rows[2]], incidents)
    assert differences(bodies, [rows[0], replace(rows[1], incident_id="INC-2"), rows[2]], incidents)
    assert differences(bodies, rows[:2], incidents)
    assert differences(bodies, [*rows, replace(rows[2], alert_id="A4")], incidents)
    assert differences(bodies, rows, [*incidents, replace(incidents[0], incident_id="INC-2")])


def test_the_same_seed_makes_the_same_shares_of_everything():
    senders = Senders(seed=7)
    made = [senders.next() for _ in range(2000)]
    counts = {
        what: sum(one.what == what for one in made) for what in ("malformed", "redelivered", "disordered")
    }
    assert 8 <= counts["malformed"] <= 40
    assert 60 <= counts["redelivered"] <= 140
    assert counts["disordered"] >= 30

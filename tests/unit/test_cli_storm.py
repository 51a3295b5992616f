"""The outage of `receiver demo` is what it says: every body is understood but the one that is not meant to be."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from receiver.cli.storm import ALERTMANAGER, PODS, Step, storm
from receiver.domain.alert import Alert
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEPS = storm(NOW)
UNDERSTOOD = [step for step in STEPS if "alerts" in step.body]


def alerts(step: Step) -> list[Alert]:
    parsed = parse_body(json.dumps(step.body).encode(), FieldMapping(), NOW)
    assert parsed.source == ("alertmanager" if step.path == ALERTMANAGER else "grafana")
    assert all(isinstance(alert, Alert) for alert in parsed.alerts)
    return [alert for alert in parsed.alerts if isinstance(alert, Alert)]


def named(name: str) -> list[list[Alert]]:
    return [alerts(step) for step in UNDERSTOOD if step.about == name]


def test_one_body_is_not_understood():
    (strange,) = (step for step in STEPS if step not in UNDERSTOOD)
    with pytest.raises(UnintelligibleBody):
        parse_body(json.dumps(strange.body).encode(), FieldMapping(), NOW)


def test_one_is_of_grafanas_test_button():
    assert [alert.is_test for step in UNDERSTOOD for alert in alerts(step)].count(True) == 1


def test_the_pods_are_of_one_kind_and_come_again_and_end():
    first, again, ended = named("PodNotReady")
    assert len(first) == PODS
    assert len({alert.incident_key for alert in (*first, *again, *ended)}) == 1
    assert len({alert.fingerprint for alert in first}) == PODS
    assert first == again
    assert {alert.status for alert in ended} == {"resolved"}


def test_the_database_gets_worse():
    first, second = named("PostgresSlowQueries")
    assert first[0].incident_key == second[0].incident_key
    assert (first[0].severity, second[0].severity) == ("warning", "critical")


def test_not_all_of_the_api_recovers():
    broken, well = named("ApiErrorRate")
    assert len(well) < len(broken)
    assert {alert.rule_uid for alert in (*broken, *well)} == {"fe8g2kq1x0d1sd"}


def test_another_run_is_no_repeat_of_the_first():
    assert storm(datetime(2026, 3, 2, tzinfo=UTC)) != STEPS

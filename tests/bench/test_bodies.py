"""The bodies are what Alertmanager sends: the receiver reads them as such, and as many incidents as they promise."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bench.bodies import Requests, Shape
from receiver.domain.alert import Alert
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHAPES = [Shape(), Shape(fresh_services=False), Shape(alerts=20, services=5), Shape(alerts=500, services=25)]


def body(shape: Shape, serial: int) -> bytes:
    head, _, found = Requests(shape, token="t", now=NOW).make(serial).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(found)}\r\n".encode() in head
    return found


def alerts(shape: Shape, serial: int) -> list[Alert]:
    parsed = parse_body(body(shape, serial), FieldMapping(), NOW)
    assert parsed.source == "alertmanager"
    return [alert for alert in parsed.alerts if isinstance(alert, Alert)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_receiver_understands_every_alert_of_a_body(shape):
    found = alerts(shape, 7)
    assert len(found) == shape.alerts
    assert {alert.severity for alert in found} == {"critical"}
    assert len({alert.service for alert in found}) == shape.services


@pytest.mark.parametrize("shape", SHAPES)
def test_bodies_have_as_many_keys_and_different_alerts_as_their_shape_says(shape):
    found = [alert for serial in (1, 2, 3) for alert in alerts(shape, serial)]
    assert len({alert.incident_key for alert in found}) == shape.keys(3)
    assert len({alert.fingerprint for alert in found}) == 3 * shape.alerts


def test_the_same_serial_number_gives_the_same_bytes():
    requests = Requests(Shape(), token="t")
    assert requests.make(5) == requests.make(5)
    assert requests.make(5) != requests.make(6)


def test_bodies_are_as_large_as_real_ones():
    one, twenty = len(body(Shape(), 1)), len(body(Shape(alerts=20, services=5), 1))
    assert 1000 < one < 1700
    assert 500 < twenty / 20 < 1000


def test_what_all_alerts_share_is_told_once_more_as_common():
    found = json.loads(body(Shape(alerts=20, services=5), 1))
    assert found["commonLabels"]["alertname"] == "HighRequestLatency"
    assert "service" not in found["commonLabels"]
    assert "service" in json.loads(body(Shape(), 1))["commonLabels"]


def test_the_token_lets_the_sender_in():
    assert b"\r\nAuthorization: Bearer secret\r\n" in Requests(Shape(), token="secret").make(1)

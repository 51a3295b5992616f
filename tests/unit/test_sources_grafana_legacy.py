"""Legacy Grafana: one body is one alert of one rule, and what identifies it is the same in every state."""

from datetime import UTC, datetime

import pytest

from receiver.domain.alert import Alert, RejectedAlert
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.links import links_of
from receiver.sources.registry import parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def only(**changes):
    (alert,) = parse_body(bodies.grafana_legacy(**changes), FieldMapping(), RECEIVED_AT).alerts
    return alert


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ("alerting", "firing", ""),
        ("Alerting", "firing", ""),
        ("no_data", "firing", "NoData"),
        ("pending", "firing", ""),
        ("unknown", "firing", ""),
        ("ok", "resolved", ""),
        ("paused", "resolved", "Paused"),
    ],
)
def test_every_state_has_its_meaning(state, status, reason):
    alert = only(state=state)
    assert (alert.status, alert.state_reason) == (status, reason)


@pytest.mark.parametrize("state", ["broken", "", None, [], 7])
def test_a_state_that_is_not_known_is_rejected_with_the_known_ones(state):
    alert = only(state=state)
    assert isinstance(alert, RejectedAlert)
    assert alert.reason.startswith("state is one that is not known, expected one of alerting, ")


def test_recovery_meets_the_incident_that_it_ends():
    firing, ok = only(), only(state="ok", evalMatches=None, message="", title="[OK] API latency p99")
    assert firing.incident_key == ok.incident_key
    assert firing.fingerprint == ok.fingerprint


def test_the_fields_come_from_the_rule_and_its_tags():
    alert = only()
    assert alert.rule_uid == "grafana-legacy:1:118"
    assert (alert.alertname, alert.title, alert.summary) == (
        "API latency p99",
        "API latency p99",
        "p99 too high",
    )
    assert alert.labels == {"alertname": "API latency p99", "severity": "critical", "namespace": "edge"}
    assert (alert.severity, alert.priority, alert.namespace, alert.cluster) == ("critical", "P0", "edge", "")
    assert (alert.starts_at, alert.ends_at) == (None, None)
    assert links_of(alert) == {"source": "https://grafana.example.internal/d/edge/edge?tab=alert"}


def test_missing_data_shows_in_the_title():
    assert only(state="no_data").title == "API latency p99 (no data)"


@pytest.mark.parametrize(
    ("rule_id", "uid"),
    [
        (2**63 - 1, f"grafana-legacy:1:{2**63 - 1}"),
        ("118", "grafana-legacy:1:118"),
        (0, "grafana-legacy:1:0"),
    ],
)
def test_the_rule_id_may_be_huge_or_text(rule_id, uid):
    assert only(ruleId=rule_id).rule_uid == uid


@pytest.mark.parametrize("rule_id", [None, "", {}, [1]])
def test_a_rule_id_without_a_value_is_rejected(rule_id):
    assert only(ruleId=rule_id) == RejectedAlert(
        bodies.grafana_legacy(ruleId=rule_id).decode(), "ruleId has no value, expected a number"
    )


def test_rules_of_two_organisations_are_two():
    assert only(orgId=1).fingerprint != only(orgId=2).fingerprint
    assert only(orgId=2).rule_uid == "grafana-legacy:2:118"


def test_a_body_without_an_organisation_is_of_the_first():
    assert only(orgId=...).rule_uid == "grafana-legacy:1:118"


def test_the_fields_of_grafana_4_are_known():
    alert = only(
        ruleUrl=..., rule_url="https://g.example/x", image_url="https://g.example/i.png", tags=..., orgId=...
    )
    assert links_of(alert) == {"source": "https://g.example/x"}
    assert alert.labels == {"alertname": "API latency p99"}


@pytest.mark.parametrize("tags", [None, [], "a", 7, {"a": {"b": 1}}, {}])
def test_odd_tags_cost_no_alert(tags):
    assert only(tags=tags).labels == {"alertname": "API latency p99"}


def test_a_tag_cannot_rename_the_rule():
    assert only(tags={"alertname": "Other"}).labels["alertname"] == "API latency p99"


@pytest.mark.parametrize(
    "changes",
    [
        {"ruleId": 0, "message": "Someone is testing the alert notification within grafana."},
        {
            "ruleId": 7008839925862512012,
            "message": "Someone is testing the alert notification within Grafana.",
        },
        {"ruleId": 0, "message": ...},
    ],
)
def test_the_test_button_is_known(changes):
    alert = only(ruleName="Test notification", **changes)
    assert alert.is_test
    assert alert.rule_uid == "grafana-test"


def test_a_rule_that_happens_to_be_called_like_the_test_is_no_test():
    assert not only(ruleName="Test notification", message="the mail queue is stuck").is_test


def test_the_body_itself_is_kept_as_the_alert():
    alert = only()
    assert isinstance(alert, Alert)
    assert alert.raw.encode() == bodies.grafana_legacy()


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (b'"evalMatches":NaN', "a field holds NaN"),
        (b'"message":"\\ud83d"', "a field holds NaN, Infinity or half of a surrogate pair"),
        (b'"message":"\xff"', "not UTF-8 at byte"),
    ],
)
def test_a_body_that_cannot_be_read_is_unintelligible(spoilt, reason):
    body = bodies.grafana_legacy()[:-1] + b"," + spoilt + b"}"
    with pytest.raises(UnintelligibleBody, match=reason):
        parse_body(body, FieldMapping(), RECEIVED_AT)

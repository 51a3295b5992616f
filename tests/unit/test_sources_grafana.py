"""What is Grafana's own: the Test button, stand-in UIDs, links."""

from datetime import UTC, datetime

import pytest

from receiver.sources.base import FieldMapping
from receiver.sources.links import links_of
from receiver.sources.registry import parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TEST_LABELS = {"alertname": "TestAlert", "instance": "Grafana"}
OWN_LABELS = {"alertname": "Try me", "severity": "critical"}
FINGERPRINT = "0123456789abcdef"


def only(alert, **envelope):
    (parsed,) = parse_body(bodies.grafana(alert, **envelope), FieldMapping(), RECEIVED_AT).alerts
    return parsed


def alert_without_rule(**changes):
    return bodies.alert(**{"generatorURL": "", "fingerprint": FINGERPRINT, "values": None} | changes)


@pytest.mark.parametrize(
    ("labels", "fingerprint", "group_key"),
    [
        (TEST_LABELS, "57c6d9296de2ad39", "ops-57c6d9296de2ad39-1751358600"),
        (
            TEST_LABELS,
            FINGERPRINT,
            '{alertname="TestAlert", instance="Grafana"}2023-01-02 03:04:05 +0000 UTC',
        ),
        (TEST_LABELS | {"team": "x"}, FINGERPRINT, "k"),
        (OWN_LABELS, FINGERPRINT, f"ops-{FINGERPRINT}-1751358600"),
        (OWN_LABELS, FINGERPRINT, f"a {{strange}}-name-{FINGERPRINT}-1751358600"),
        (
            OWN_LABELS,
            FINGERPRINT,
            '{alertname="Try me", severity="critical"}2023-01-02 03:04:05.6 +0000 UTC m=+1.2',
        ),
    ],
)
def test_the_test_button_is_known_also_with_labels_of_ones_own(labels, fingerprint, group_key):
    alert = only(alert_without_rule(labels=labels, fingerprint=fingerprint), groupKey=group_key)
    assert alert.is_test
    assert alert.rule_uid == "grafana-test"


@pytest.mark.parametrize(
    "rule",
    [{"generatorURL": "https://g/alerting/grafana/uid-1/view?orgId=1"}, {"ruleUID": "uid-1"}],
)
def test_a_rule_that_happens_to_be_called_testalert_is_no_test(rule):
    alert = only(alert_without_rule(labels=TEST_LABELS, **rule))
    assert not alert.is_test
    assert alert.rule_uid == "uid-1"


@pytest.mark.parametrize(
    "group_key",
    [
        '{}:{alertname="Try me"}',
        '{}/{team="x"}:{day="2023-01-02"}',
        "ops-fedcba9876543210-1751358600",
        f"ops-{FINGERPRINT}-soon",
        "{" + "}2023-01-02" * 2_000,
        "",
        None,
        7,
    ],
)
def test_a_rules_alert_without_its_address_is_no_test(group_key):
    alert = only(alert_without_rule(labels=OWN_LABELS), groupKey=group_key)
    assert not alert.is_test
    assert alert.rule_uid == "grafana:Try me"


def test_the_group_labels_may_hold_the_uid():
    alert = only(alert_without_rule(labels=OWN_LABELS), groupLabels={"__alert_rule_uid__": "uid-7"})
    assert alert.rule_uid == "uid-7"


def test_links_are_those_that_grafana_sends():
    alert = only(
        bodies.alert(
            generatorURL="https://g.example/alerting/grafana/uid-1/view?orgId=1",
            silenceURL="https://g.example/alerting/silence/new?matcher=a%3Db",
            dashboardURL="https://g.example/d/x",
            panelURL="https://g.example/d/x?viewPanel=3",
            annotations={"runbook_url": "https://runbooks.example/x"},
        )
    )
    assert links_of(alert) == {
        "runbook": "https://runbooks.example/x",
        "dashboard": "https://g.example/d/x",
        "panel": "https://g.example/d/x?viewPanel=3",
        "silence": "https://g.example/alerting/silence/new?matcher=a%3Db",
        "source": "https://g.example/alerting/grafana/uid-1/view?orgId=1",
    }


def test_no_silence_link_is_made_up_from_grafanas_address():
    alert = only(bodies.alert(generatorURL="https://g.example/alerting/grafana/uid-1/view"))
    assert set(links_of(alert)) == {"source"}

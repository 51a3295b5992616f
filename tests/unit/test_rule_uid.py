"""Which rule an alert is of: the places in their order, and what does not count as a UID."""

from typing import Any

import pytest

from receiver.sources.rule_uid import group_uid_of, rule_uid_of
from receiver.sources.wire_alert import WireAlert

PLACES_IN_ORDER = [
    {"rule_uid": "uid-of-field"},
    {"labels": {"__alert_rule_uid__": "uid-of-label"}},
    {"generator_url": "https://g/alerting/grafana/uid-of-generator/view?orgId=1"},
    {"silence_url": "https://g/alerting/silence/new?matcher=__alert_rule_uid__%3Duid-of-silence&orgId=1"},
    {"group_uid": "uid-of-group"},
    {"labels": {"rule_uid": "uid-of-operators-label"}},
    {"annotations": {"rule_uid": "uid-of-operators-annotation"}},
]
NAMES = ["field", "label", "generator", "silence", "group", "operators-label", "operators-annotation"]


def uid_of(*places, stand_in="stand-in", **fields):
    merged: dict[str, Any] = {"labels": {}, "annotations": {}, "group_uid": None}
    for place in (*places, fields):
        for name, value in place.items():
            merged[name] = merged[name] | value if isinstance(merged.get(name), dict) else value
    group_uid = merged.pop("group_uid")
    return rule_uid_of(WireAlert(status="firing", **merged), group_uid, stand_in)


@pytest.mark.parametrize("first", range(len(NAMES)), ids=NAMES)
def test_the_first_place_that_has_a_uid_wins(first):
    assert uid_of(*PLACES_IN_ORDER[first:]) == f"uid-of-{NAMES[first]}"


def test_an_alert_without_any_gets_the_stand_in():
    assert uid_of() == "stand-in"


@pytest.mark.parametrize(
    "address",
    [
        "https://g.example/alerting/grafana/Uid_-9/view",
        "https://g.example/alerting/grafana/Uid_-9/view?orgId=1",
        "https://g.example/alerting/grafana/Uid_-9/view#top",
        "https://g.example/sub/path/alerting/grafana/Uid_-9/view?orgId=1",
        "https://g.example/alerting/Uid_-9/edit",
        "https://g.example/sub/alerting/Uid_-9/edit?returnTo=%2F",
        "http://[::1]:3000/alerting/grafana/Uid_-9/view",
        "/alerting/grafana/Uid_-9/view",
        "https://g.example/alerting/grafana/%55id%5F-9/view",
    ],
)
def test_the_path_of_the_rules_page_holds_the_uid(address):
    assert uid_of(generator_url=address) == "Uid_-9"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://prom:9090/graph?g0.expr=up&g0.tab=1",
        "http://prom:9090/graph?x=/alerting/grafana/uid/view",
        "http://prom:9090/graph#/alerting/grafana/uid/view",
        "https://g.example/alerting/grafana/uid/view/more",
        "https://g.example/alerting/grafana/uid/edit",
        "https://g.example/alerting/grafana//view",
        "https://g.example/alerting/grafana/uid%2Fother/view",
        "https://g.example/alerting/grafana/uid with space/view",
        "https://g.example/alerting/grafana/uid%0A/view",
        "https://g.example/alerting/grafana/" + "u" * 41 + "/view",
        "https://g.example/alerting/grafana/ünï/view",
        "https://g.example/notalerting/uid/view",
    ],
)
def test_other_addresses_hold_none(address):
    assert uid_of(generator_url=address) == "stand-in"


@pytest.mark.parametrize("uid", ["-x", "_", "A" * 40, "a1B2-_"])
def test_all_that_grafana_calls_a_uid_is_one(uid):
    assert uid_of(rule_uid=uid) == uid


@pytest.mark.parametrize("uid", ["", " ", "a b", "a|b", "u" * 41, "ü", "uid\n"])
def test_what_grafana_would_not_call_a_uid_is_passed_over(uid):
    assert uid_of(rule_uid=uid, labels={"__alert_rule_uid__": uid}) == "stand-in"
    assert group_uid_of({"__alert_rule_uid__": uid}) is None


def test_case_counts():
    assert uid_of(rule_uid="Abc") != uid_of(rule_uid="abc")


@pytest.mark.parametrize(
    "address",
    [
        "https://g/silence/new?alertmanager=grafana&matcher=a%3Db&matcher=__alert_rule_uid__%3Duid-1&orgId=1",
        "https://g/silence/new?matcher=__alert_rule_uid__=uid-1",
    ],
)
def test_the_silence_link_names_the_uid_in_a_matcher(address):
    assert uid_of(silence_url=address) == "uid-1"


@pytest.mark.parametrize(
    "address",
    [
        "https://g/silence/new?matcher=alertname%3D__alert_rule_uid__%3Dx",
        "https://g/silence/new?other=__alert_rule_uid__%3Dx",
        "https://g/__alert_rule_uid__=x?matcher=a",
        "https://[g/silence?matcher=__alert_rule_uid__%3Dx",
        "https://g/silence/new?matcher=__alert_rule_uid__%3Da%7Cb",
    ],
)
def test_other_matchers_name_none(address):
    assert uid_of(silence_url=address) == "stand-in"


@pytest.mark.parametrize("uid", ["prom-node-health-0001", "any text: ünï | ok", "x" * 190])
def test_operators_may_name_a_rule_as_they_like(uid):
    assert uid_of(labels={"rule_uid": uid}) == uid
    assert uid_of(annotations={"rule_uid": uid}) == uid


@pytest.mark.parametrize("uid", ["", "  ", "x" * 191])
def test_an_operators_name_that_is_blank_or_too_long_is_passed_over(uid):
    assert uid_of(labels={"rule_uid": uid}, annotations={"rule_uid": "good"}) == "good"


def test_a_label_cannot_pass_an_alert_off_as_another_rules():
    assert uid_of(PLACES_IN_ORDER[2], labels={"rule_uid": "victim"}) == "uid-of-generator"


def test_there_need_be_no_group_labels():
    assert group_uid_of(None) is None
    assert group_uid_of({"alertname": "A"}) is None
    assert group_uid_of({"__alert_rule_uid__": "uid-1"}) == "uid-1"

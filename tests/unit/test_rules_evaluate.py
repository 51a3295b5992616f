"""What rules say to alerts and incidents: the first that applies decides, unless it lets others follow."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.events import EventType
from receiver.domain.notification import Template
from receiver.domain.rules.effects import EscalateEffect, NotifyEffect
from receiver.domain.rules.evaluate import Fate, effects, trace, triage
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.subject import subject_of_alert, subject_of_incident
from receiver.domain.triage import Triage
from receiver.notifiers.registry import WANTED
from receiver.rules_file import read_rules
from tests.builders.rules import rule_set
from tests.unit.test_ledger import alert

OPENED, RESOLVED = EventType.INCIDENT_OPENED, EventType.INCIDENT_RESOLVED


def verdict(rules: RuleSet, **changes: object) -> Triage:
    return triage(rules, alert(**changes), "alertmanager")  # type: ignore[arg-type]  # the test's own keyword arguments


def incident(event: EventType = OPENED, **changes: Any) -> Subject:
    given = {"status": "active", "severity": "warning", "priority": "P2", "details": {}, "labels": {}}
    return subject_of_incident(event, **given | changes)


def told(rules: RuleSet, event: EventType, subject: Subject, *channels: str) -> list[tuple[str, str]]:
    audience = {name: WANTED[name] for name in channels}
    found = effects(rules, event, subject, audience)
    return [(one.channel, one.rule) for one in found if isinstance(one, NotifyEffect)]


def test_by_default_every_alert_is_admitted_with_its_own_priority() -> None:
    assert verdict(read_rules(None)) == Triage(priority="P2")


def test_by_default_each_configured_channel_hears_what_it_has_a_use_for() -> None:
    for event, template in ((OPENED, Template.OPENED), (RESOLVED, Template.RESOLVED)):
        found = effects(read_rules(None), event, incident(event, priority="P1"), WANTED)
        found = [one for one in found if isinstance(one, NotifyEffect)]
        expected = [
            NotifyEffect(name, template, "tell-everybody") for name in WANTED if template in WANTED[name]
        ]
        assert found == expected
    acknowledged = EventType.INCIDENT_ACKNOWLEDGED
    hearing = [name for name in WANTED if Template.ACKNOWLEDGED in WANTED[name]]
    urgent = incident(priority="P0")
    assert [channel for channel, _ in told(read_rules(None), acknowledged, urgent, *WANTED)] == hearing
    assert told(read_rules(None), EventType.INCIDENT_CLOSED, incident(), *WANTED) == []


def test_by_default_nobody_is_woken_up_for_what_is_not_urgent() -> None:
    for event in (OPENED, RESOLVED, EventType.INCIDENT_ACKNOWLEDGED, EventType.ACTION_FAILED):
        for priority, wakes in (("P0", True), ("P1", True), ("P2", False), ("P4", False)):
            names = [
                one for one, _ in told(read_rules(None), event, incident(priority=priority), "pagerduty")
            ]
            assert names == (["pagerduty"] if wakes and event is not EventType.ACTION_FAILED else [])
    worse = told(read_rules(None), EventType.INCIDENT_UPDATED, incident(priority="P0"), "pagerduty", "slack")
    assert worse == [("pagerduty", "tell-of-worse"), ("slack", "tell-of-worse")]


def test_a_rule_that_names_pagerduty_has_it_called_for_anything() -> None:
    rules = rule_set("- {name: wake, on: incident.opened, notify: {channels: [pagerduty]}}")
    assert told(rules, OPENED, incident(priority="P4"), "pagerduty") == [("pagerduty", "wake")]


def test_by_default_what_is_urgent_escalates() -> None:
    for priority, policies in (("P0", ["default"]), ("P1", ["default"]), ("P2", [])):
        for event in (OPENED, EventType.INCIDENT_UPDATED):
            found = effects(read_rules(None), event, incident(priority=priority), WANTED)
            assert [one.policy for one in found if isinstance(one, EscalateEffect)] == policies


def test_the_first_rule_that_applies_decides() -> None:
    rules = rule_set(
        """
        - {name: staging, on: alert.raised, match: cluster=staging, incident: ignore}
        - {name: checkout, on: alert.raised, match: service=checkout, priority: P0}
        - {name: rest, on: alert.raised, priority: P4}
        """
    )
    assert verdict(rules, cluster="staging", service="checkout").reason == "rule staging"
    assert verdict(rules, cluster="prod", service="checkout") == Triage(
        False, "P0", "rule checkout", "checkout"
    )
    assert verdict(rules).priority == "P4"


def test_with_continue_the_rules_below_follow_and_see_the_new_priority() -> None:
    rules = rule_set(
        """
        - {name: raise, on: alert.raised, match: team=pay, priority: P1, continue: true}
        - {name: again, on: alert.raised, match: priority=P1, priority: P0, continue: true}
        - {name: drop, on: alert.raised, match: 'priority=~"P2|P3"', incident: ignore}
        """
    )
    assert verdict(rules, labels={"team": "pay"}) == Triage(False, "P0", "rule again", "again")
    assert verdict(rules, labels={"team": "ops"}).is_ignored
    assert verdict(rules, labels={"team": "ops"}, priority="P1").priority == "P0"


def test_all_conditions_of_a_rule_must_hold() -> None:
    rules = rule_set(
        "- {name: a, on: alert.raised, match: [cluster=staging, severity!=critical], incident: ignore}"
    )
    assert verdict(rules, cluster="staging").is_ignored
    assert not verdict(rules, cluster="staging", severity="critical").is_ignored
    assert not verdict(rules, cluster="prod").is_ignored


def test_incidents_are_restricted_to_priorities_after_the_rules_had_their_say() -> None:
    rules = rule_set(
        "- {name: up, on: alert.raised, match: service=checkout, priority: P1}",
        head="incidents: {priorities: [P0, P1]}\n",
    )
    ignored = verdict(rules)
    assert (ignored.is_ignored, ignored.reason) == (True, "incidents.priorities: P2 is not among P0, P1")
    assert not verdict(rules, service="checkout").is_ignored


def test_a_rule_sees_the_alert_as_it_was_before_other_alerts() -> None:
    one = alert()
    rules = rule_set("- {name: a, on: alert.raised, priority: P0}")
    assert triage(rules, one, "grafana") == triage(rules, one, "grafana")
    assert one.priority == "P2"


def test_a_channel_is_told_once_for_the_first_rule_that_names_it() -> None:
    rules = rule_set(
        """
        - {name: page, on: incident.opened, match: priority=P0, notify: {channels: [pagerduty]}, continue: true}
        - {name: quiet, on: incident.opened, match: severity=info, notify: {channels: [email]}}
        - {name: rest, on: incident.opened, notify: {channels: all}}
        """
    )
    both = ("slack", "pagerduty", "email")
    urgent = told(rules, OPENED, incident(priority="P0"), *both)
    assert urgent == [("pagerduty", "page"), ("slack", "rest"), ("email", "rest")]
    assert told(rules, OPENED, incident(severity="info"), *both) == [("email", "quiet")]
    assert told(rules, RESOLVED, incident(RESOLVED), *both) == []


def test_a_channel_that_has_no_use_for_one_of_the_events_is_left_out_there() -> None:
    rules = rule_set(
        "- {name: a, on: [incident.opened, incident.acknowledged], notify: {channels: [email, pagerduty]}}"
    )
    acknowledged = EventType.INCIDENT_ACKNOWLEDGED
    assert told(rules, OPENED, incident(), "email", "pagerduty") == [("email", "a"), ("pagerduty", "a")]
    assert told(rules, acknowledged, incident(), "email", "pagerduty") == [("pagerduty", "a")]


def test_an_incident_is_seen_with_its_place_its_labels_and_the_status_of_the_event() -> None:
    rules = rule_set(
        """
        - name: a
          on: incident.resolved
          match: [status=resolved, service=checkout, team=pay, alertname=CpuHigh, rule_uid="am:CpuHigh"]
          notify: {channels: [slack]}
        """
    )
    details = {"service": "checkout", "rule_uid": "am:CpuHigh"}
    labels = {"team": "pay", "alertname": "CpuHigh"}
    assert told(rules, RESOLVED, incident(RESOLVED, details=details, labels=labels), "slack") == [
        ("slack", "a")
    ]
    assert rules.asks_for_details(RESOLVED)
    assert not read_rules(None).asks_for_details(RESOLVED)


def test_the_trace_tells_the_fate_of_each_rule_and_why() -> None:
    rules = rule_set(
        """
        - {name: a, on: alert.raised, match: [service=svc-a, cluster=prod], incident: ignore}
        - {name: b, on: alert.raised, priority: P1, continue: true, match: priority=P2}
        - {name: c, on: alert.raised, match: priority=P1, priority: P0}
        - {name: d, on: alert.raised, incident: ignore}
        - {name: e, on: incident.opened, notify: {channels: all}}
        """
    )
    found = trace(rules, EventType.ALERT_RAISED, subject_of_alert(alert(), "alertmanager"))
    assert [(one.rule.name, one.fate) for one in found] == [
        ("a", Fate.FAILS),
        ("b", Fate.APPLIES),
        ("c", Fate.APPLIES),
        ("d", Fate.UNREACHED),
    ]
    assert found[0].failed is not None and found[0].failed.text == "cluster=prod"
    assert found[3].ended_by == "c"


NAMES = st.sampled_from(["service", "cluster", "team", "label.service"])
CONDITIONS = st.builds(
    lambda name, sign, value: f'{name}{sign}"{value}"',
    NAMES,
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.sampled_from(["", "a", "b", "a|b", "a.*", "a+", ".*b", "(a|b)b?"]),
)


@given(
    st.lists(st.lists(CONDITIONS, min_size=1, max_size=3), max_size=8),
    st.fixed_dictionaries({name: st.sampled_from(["", "a", "b", "ab"]) for name in ("service", "cluster")}),
    st.dictionaries(st.sampled_from(["team", "service"]), st.sampled_from(["", "a", "ab"])),
)
def test_the_index_leaves_out_no_rule_that_applies(
    conditions: list[list[str]], fields: dict[str, str], labels: dict[str, str]
) -> None:
    lines = [
        f"- {{name: r{n}, on: alert.raised, priority: P1, continue: true, match: {[*map(str, one)]}}}"
        for n, one in enumerate(conditions)
    ]
    rules = rule_set("\n".join(lines) or "- {name: none, on: alert.raised, match: team=zzz, priority: P1}")
    subject = Subject(fields, labels)
    expected = [rule.name for rule in rules.rules if all(matcher.holds(subject) for matcher in rule.matchers)]
    assert [rule.name for rule in rules.applying(EventType.ALERT_RAISED, subject)] == expected

"""What rules ask for besides messages: actions, diagnoses, escalations, the end of an incident."""

from __future__ import annotations

from typing import Any

import pytest

from receiver.clock import utc_now
from receiver.domain.events import Event, EventType
from receiver.domain.notification import Template
from receiver.domain.rules.effects import (
    DiagnoseEffect,
    Effect,
    EscalateEffect,
    NotifyEffect,
    ResolveEffect,
    RunEffect,
)
from receiver.domain.rules.evaluate import effects, is_news
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.subject import subject_of_incident
from receiver.notifiers.registry import WANTED
from tests.builders.rules import rule_set

HEAD = """
diagnoses: {service: {metrics: {rate: {query: "up"}}}}
escalations: {default: {steps: [{after: 0m, channels: [slack]}]}, everybody: {steps: [{after: 0m, channels: all}]}}
channels: {db-team: {slack: "#db"}}
"""
OPENED = EventType.INCIDENT_OPENED
FAILED = EventType.ACTION_FAILED


def seen(event: EventType, payload: dict[str, Any] | None = None, **changes: Any) -> Subject:
    given = {"status": "active", "severity": "warning", "priority": "P2", "details": {}, "labels": {}}
    return subject_of_incident(event, **given | changes, payload=payload or {})


def asked(rules: RuleSet, subject: Subject, event: EventType, *channels: str) -> list[Effect]:
    return effects(rules, event, subject, {name: WANTED[name] for name in channels})


def names(found: list[Effect]) -> list[tuple[str, str]]:
    return [(type(one).__name__, one.rule) for one in found]


def test_one_rule_may_ask_for_several_things() -> None:
    rules = rule_set(
        """
        - name: all
          on: incident.opened
          notify: {channels: [slack], template: short, quiet: true}
          diagnose: service
          escalate: default
        """,
        HEAD,
    )
    assert asked(rules, seen(OPENED), OPENED, "slack") == [
        NotifyEffect("slack", Template.OPENED, "all", "short", True),
        DiagnoseEffect("all", "service"),
        EscalateEffect("all", "default"),
    ]


def test_an_escalation_that_would_call_nobody_is_none() -> None:
    rules = rule_set("- {name: a, on: incident.opened, escalate: everybody}", HEAD)
    assert asked(rules, seen(OPENED), OPENED) == []
    assert asked(rules, seen(OPENED), OPENED, "email") == [EscalateEffect("a", "everybody")]


def test_what_two_rules_ask_for_is_had_once_for_the_first_of_them() -> None:
    rules = rule_set(
        """
        - {name: a, on: incident.opened, diagnose: service, escalate: default, continue: true}
        - {name: b, on: incident.opened, diagnose: service, escalate: default}
        """,
        HEAD,
    )
    assert names(asked(rules, seen(OPENED), OPENED)) == [("DiagnoseEffect", "a"), ("EscalateEffect", "a")]


def test_a_failed_action_is_told_apart_by_what_it_was() -> None:
    rules = rule_set(
        """
        - name: not-scaled
          on: action.failed
          match: [action=kubernetes.scale, 'target=~"kubernetes:shop/.*"', rule=cpu, outcome=failed, mitigation=failed]
          escalate: default
        """,
        HEAD,
    )
    payload = {"action": "kubernetes.scale", "target": "kubernetes:shop/deployment/a", "rule": "cpu"}
    details = {"mitigation": "failed"}
    assert names(asked(rules, seen(FAILED, payload, details=details), FAILED)) == [
        ("EscalateEffect", "not-scaled")
    ]
    for change in ({"outcome": "unknown"}, {"rule": "other"}, {"action": "http.call"}, {"target": "x"}):
        assert asked(rules, seen(FAILED, payload | change, details=details), FAILED) == []
    assert asked(rules, seen(FAILED, payload), FAILED) == []


def test_a_label_that_is_called_like_a_field_of_actions_stays_a_label_elsewhere() -> None:
    rules = rule_set("- {name: a, on: incident.opened, match: target=web, notify: {channels: [slack]}}")
    assert asked(rules, seen(OPENED, labels={"target": "web"}), OPENED, "slack")
    assert not asked(rules, seen(OPENED, {"target": "web"}), OPENED, "slack")


def test_results_of_a_diagnosis_can_be_matched() -> None:
    done = EventType.DIAGNOSTICS_COMPLETED
    rules = rule_set(
        """
        - name: oom
          on: diagnostics.completed
          match: [diagnosis=service, diagnostics.pods.last_reason=OOMKilled, 'diagnostics.metrics.up.value!="1"']
          escalate: default
        """,
        HEAD,
    )
    found = {"pods": {"last_reason": "OOMKilled"}, "metrics": {"up": {"value": 0.5, "ok": True}}}
    payload = {"diagnosis": "service"}
    assert asked(rules, seen(done, payload, details={"diagnostics": found}), done)
    for change in ({"pods": {}}, {"metrics": {"up": {"value": 1}}}):
        assert not asked(rules, seen(done, payload, details={"diagnostics": found | change}), done)


def test_a_message_that_was_given_up_is_told_elsewhere_as_what_it_was() -> None:
    failed = EventType.NOTIFICATION_FAILED
    rules = rule_set(
        "- {name: rescue, on: notification.failed, match: channel=slack, notify: {channels: [email]}}"
    )
    for template in (Template.OPENED, Template.ESCALATED):
        subject = seen(failed, {"channel": "slack", "template": template.value})
        assert asked(rules, subject, failed, "email") == [NotifyEffect("email", template, "rescue")]
    assert asked(rules, seen(failed, {"channel": "email", "template": "opened"}), failed, "email") == []


def test_a_completed_action_may_end_the_incident() -> None:
    done = EventType.ACTION_COMPLETED
    rules = rule_set("- {name: over, on: action.completed, match: action=kubernetes.scale, resolve: true}")
    assert asked(rules, seen(done, {"action": "kubernetes.scale"}), done) == [ResolveEffect("over")]
    assert asked(rules, seen(done, {"action": "http.call"}), done) == []


def test_a_channel_of_the_file_hears_by_its_name_only() -> None:
    rules = rule_set(
        """
        - {name: db, on: incident.opened, match: service=db, notify: {channels: [db-team]}}
        - {name: rest, on: incident.opened, notify: {channels: all}}
        """,
        HEAD,
    )
    of_db = seen(OPENED, details={"service": "db"})
    assert asked(rules, of_db, OPENED, "email") == [NotifyEffect("db-team", Template.OPENED, "db")]
    assert asked(rules, seen(OPENED), OPENED, "email") == [NotifyEffect("email", Template.OPENED, "rest")]


@pytest.mark.parametrize(
    ("type_", "payload", "news"),
    [
        (OPENED, {}, True),
        (EventType.INCIDENT_UPDATED, {"changes": {"priority": ["P2", "P0"]}}, True),
        (EventType.INCIDENT_UPDATED, {"note": "hm"}, False),
        (EventType.ACTION_REQUESTED, {}, False),
        (EventType.ACTION_REQUESTED, {"needs_approval": True}, True),
        (FAILED, {}, True),
        (EventType.NOTIFICATION_FAILED, {"template": "opened"}, True),
        (EventType.NOTIFICATION_FAILED, {"template": "updated"}, False),
        (EventType.NOTIFICATION_DELIVERED, {"template": "opened"}, False),
        (EventType.ALERT_RAISED, {}, False),
    ],
)
def test_rules_are_asked_about_news_only(type_: EventType, payload: dict[str, Any], news: bool) -> None:
    assert is_news(Event(type_, utc_now(), "", "", payload=payload)) is news


RUN = """
- name: a
  on: incident.opened
  run: {action: kubernetes.scale, target: {namespace: "{{ namespace }}", deployment: web}, parameters: {by: 1}}
"""


def test_an_action_is_asked_for_as_the_file_says_it() -> None:
    rules = rule_set(RUN)
    (effect,) = asked(rules, seen(OPENED), OPENED)
    assert isinstance(effect, RunEffect)
    assert (effect.rule, effect.spec.action) == ("a", "kubernetes.scale")
    assert effect.spec.target == {"namespace": "{{ namespace }}", "deployment": "web"}
    assert effect.spec.parameters == {"by": 1}
    assert rules.asks_for_details(OPENED)

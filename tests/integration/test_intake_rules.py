"""Rules at work in the intake and in people's deeds, on every engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from receiver.domain.delivery import Answer
from receiver.errors import WrongRules
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services import incidents
from receiver.services.check import check_database
from receiver.services.incidents import Deed
from receiver.services.intake import Intake
from receiver.storage.engine import reading
from tests.builders import bodies
from tests.builders.rules import rules_text
from tests.fixtures.runtimes import RuntimeFactory

SLACK = "https://hooks.slack.example/services/T0/B0/x"

Start = Callable[..., Runtime]


@pytest.fixture
def start(engine: Engine, make_runtime: RuntimeFactory, tmp_path: Path) -> Start:
    """A function from rules to a runtime with Slack and PagerDuty under them."""

    def start(rules: str, head: str = "") -> Runtime:
        file = tmp_path / "rules.yml"
        file.write_text(rules_text(rules, head))
        return make_runtime(engine, RULES=str(file), SLACK_WEBHOOK_URL=SLACK, PAGERDUTY_ROUTING_KEY="0" * 32)

    return start


def accept(runtime: Runtime, *alerts: dict[str, Any]) -> Answer:
    intake = Intake(runtime)
    return intake.accept(intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id()))


def rows(engine: Engine, query: str) -> Sequence[Any]:
    with reading(engine) as connection:
        return connection.execute(text(query)).all()


def asked(engine: Engine) -> list[str]:
    """The notifications that were asked for, `CHANNEL:TEMPLATE`, in order."""
    keys = [row.idempotency_key for row in rows(engine, "SELECT idempotency_key FROM jobs ORDER BY job_id")]
    return [key.split(":", 2)[2] for key in keys]


def requests(engine: Engine) -> list[dict[str, Any]]:
    found = rows(engine, "SELECT payload FROM events WHERE type = 'notification.requested' ORDER BY event_id")
    return [json.loads(row.payload) for row in found]


IGNORE_STAGING = """
- {name: staging, on: alert.raised, match: cluster=staging, incident: ignore}
- {name: tell, on: [incident.opened, incident.resolved], notify: {channels: [slack]}}
"""


def test_an_ignored_alert_is_kept_with_the_rule_as_its_reason_and_the_books_balance(
    start: Start, engine: Engine
) -> None:
    runtime = start(IGNORE_STAGING)
    staging = bodies.alert(cluster="staging")
    answer = accept(runtime, staging, bodies.alert(cluster="prod"))
    assert answer.counts == {"ignored": 1, "opened": 1}
    assert accept(runtime, staging).counts == {"ignored": 1}
    assert accept(runtime, bodies.alert(cluster="staging", status="resolved")).counts == {"ignored": 1}
    found = rows(
        engine, "SELECT DISTINCT reason, incident_id FROM grafana_alerts WHERE disposition = 'ignored'"
    )
    assert [tuple(row) for row in found] == [("rule staging", None)]
    assert len(rows(engine, "SELECT 1 FROM incidents")) == 1
    assert len(rows(engine, "SELECT 1 FROM alert_episodes")) == 1
    report = check_database(engine)
    assert report.is_clean
    assert (report.ledger["ignored"], report.ledger.total()) == (3, 4)


def test_incidents_can_be_restricted_to_priorities(start: Start, engine: Engine) -> None:
    runtime = start(
        "- {name: tell, on: incident.opened, notify: {channels: all}}", "incidents: {priorities: [P0]}\n"
    )
    warning = bodies.alert(severity="warning", service="b")
    assert accept(runtime, bodies.alert(service="a"), warning).counts == {"opened": 1, "ignored": 1}
    (row,) = rows(engine, "SELECT reason FROM grafana_alerts WHERE disposition = 'ignored'")
    assert row.reason == "incidents.priorities: P2 is not among P0"


def test_a_rule_gives_the_priority_that_the_incident_opens_with(start: Start, engine: Engine) -> None:
    runtime = start(
        """
        - {name: low, on: alert.raised, match: service=batch, priority: P4}
        - {name: page, on: incident.opened, match: 'priority=~"P0|P1"', notify: {channels: [pagerduty]}}
        - {name: rest, on: incident.opened, notify: {channels: [slack]}}
        """
    )
    accept(runtime, bodies.alert(service="batch"))
    (row,) = rows(engine, "SELECT priority FROM incidents")
    assert row.priority == "P4"
    assert asked(engine) == ["slack:opened"]
    (opened,) = rows(engine, "SELECT payload FROM events WHERE type = 'incident.opened'")
    assert json.loads(opened.payload)["rule"] == "low"
    assert [one["rule"] for one in requests(engine)] == ["rest"]


BY_TEAM = """
- name: pay
  on: [incident.opened, incident.acknowledged, incident.resolved]
  match: [label.team=pay, 'service=~"check.*"', 'rule_uid=~"am:.+"', alertname=CpuHigh]
  notify: {channels: [pagerduty]}
"""


def test_a_resolve_is_routed_by_the_labels_of_the_alert_that_opened_the_incident(
    start: Start, engine: Engine
) -> None:
    runtime = start(BY_TEAM)
    for team in ("pay", "ops"):
        accept(runtime, bodies.alert(team=team, service=f"check-{team}"))
        accept(runtime, bodies.alert(team=team, service=f"check-{team}", status="resolved"))
    assert asked(engine) == ["pagerduty:opened", "pagerduty:resolved"]


def test_what_people_do_is_routed_by_the_same_rules(start: Start, engine: Engine) -> None:
    runtime = start(BY_TEAM)
    for team in ("pay", "ops"):
        incident = accept(runtime, bodies.alert(team=team, service=f"check-{team}")).incidents[0]
        deed = Deed(actor="ann", trace_id=new_trace_id(), note="mine")
        incidents.assign(runtime, incident.incident_id, deed, "ann")
        incidents.acknowledge(runtime, incident.incident_id, deed)
        incidents.resolve(runtime, incident.incident_id, deed)
        incidents.close(runtime, incident.incident_id, deed)
    assert asked(engine) == ["pagerduty:opened", "pagerduty:acknowledged", "pagerduty:resolved"]


WORSE = """
- name: page
  on: [incident.opened, incident.updated]
  match: priority=P0
  notify: {channels: [pagerduty, slack]}
- {name: rest, on: incident.opened, notify: {channels: [slack]}}
"""


def test_an_incident_that_gets_worse_is_told_to_those_who_have_not_heard_of_it(
    start: Start, engine: Engine
) -> None:
    runtime = start(WORSE)
    opened = accept(runtime, bodies.alert(severity="info", instance="1"))
    assert asked(engine) == ["slack:opened"]
    accept(runtime, bodies.alert(severity="warning", instance="2"))
    assert asked(engine) == ["slack:opened"]
    for instance in ("3", "4"):
        accept(runtime, bodies.alert(severity="critical", instance=instance))
    incidents.assign(runtime, opened.incidents[0].incident_id, Deed("ann", new_trace_id()), "ann")
    assert asked(engine) == ["slack:opened", "pagerduty:opened"]
    assert [(one["channel"], one["rule"]) for one in requests(engine)] == [
        ("slack", "rest"),
        ("pagerduty", "page"),
    ]


def test_an_incident_that_opens_and_gets_worse_in_one_body_is_told_once(start: Start, engine: Engine) -> None:
    alerts = [
        bodies.alert(severity=severity, instance=severity) for severity in ("info", "warning", "critical")
    ]
    accept(start(WORSE), *alerts)
    assert sorted(asked(engine)) == ["pagerduty:opened", "slack:opened"]


def test_no_rules_means_incidents_that_nobody_hears_of(start: Start, engine: Engine) -> None:
    runtime = start("- {name: never, on: incident.opened, match: service=none, notify: {channels: all}}")
    assert accept(runtime, bodies.alert()).counts == {"opened": 1}
    assert asked(engine) == []


def test_a_process_does_not_start_with_rules_that_name_a_channel_it_lacks(
    sqlite_engine: Engine, make_runtime: RuntimeFactory, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(rules_text("- {name: a, on: incident.opened, notify: {channels: [slack]}}"))
    with pytest.raises(WrongRules) as caught:
        make_runtime(sqlite_engine, RULES=str(file))
    assert caught.value.problems == (
        f"{file}:3:56: the channel slack is not configured; `receiver settings` lists what it needs",
    )

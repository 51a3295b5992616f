"""What rules ask for becomes events and jobs in the transaction of the event itself, once each, on every engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text

from receiver.clock import utc_now
from receiver.domain.events import Event, EventType
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services import incidents
from receiver.services.effects import tell
from receiver.services.incidents import Deed
from receiver.services.intake import Intake
from receiver.services.subjects import subject_of_row
from receiver.services.transaction import transact
from receiver.storage import incident_changes, tables
from receiver.storage.engine import reading
from tests.builders import bodies
from tests.builders.rules import rules_text
from tests.fixtures.runtimes import RuntimeFactory

SLACK = "https://hooks.slack.example/services/T0/B0/x"
HEAD = """
diagnoses: {service: {metrics: {rate: {query: "up"}}}}
escalations:
  default: {steps: [{after: 0m, channels: all}, {after: 15m, channels: [pagerduty]}]}
"""

Start = Callable[..., Runtime]


@pytest.fixture
def start(engine: Engine, make_runtime: RuntimeFactory, tmp_path: Path) -> Start:
    """A function from rules to a runtime with Slack and PagerDuty under them."""

    def start(rules: str, **settings: str) -> Runtime:
        file = tmp_path / "rules.yml"
        file.write_text(rules_text(rules, HEAD))
        channels = {"SLACK_WEBHOOK_URL": SLACK, "PAGERDUTY_ROUTING_KEY": "0" * 32}
        return make_runtime(engine, RULES=str(file), **(channels | settings))

    return start


def fire(runtime: Runtime, **labels: Any) -> str:
    """An alert; the id of its incident."""
    intake = Intake(runtime)
    delivery = intake.read(bodies.alertmanager([bodies.alert(**labels)]), trace_id=new_trace_id())
    return intake.accept(delivery).incidents[0].incident_id


def happen(runtime: Runtime, incident_id: str, type_: EventType, action_id: str = "", **payload: Any) -> None:
    """Tell an event of the incident, as a job's handler does."""
    told = Event(type_, utc_now(), "worker", new_trace_id(), incident_id, payload=payload)
    told.action_id = action_id or None

    def work(connection: Any, attempt: int) -> None:
        row = incident_changes.lock(connection, incident_id, incident_id.rpartition("-")[2])
        tell(connection, runtime, [told], lambda one: subject_of_row(one, row))

    transact(runtime.engine, work)


def rows(engine: Engine, query: str) -> Sequence[Any]:
    with reading(engine) as connection:
        return connection.execute(text(query)).all()


def jobs(engine: Engine, kind: str) -> list[dict[str, Any]]:
    """The payloads of the jobs of one kind, in order."""
    with reading(engine) as connection:
        found = select(tables.jobs.c.payload).where(tables.jobs.c.kind == kind).order_by(tables.jobs.c.job_id)
        return list(connection.execute(found).scalars())


def keys(engine: Engine) -> list[str]:
    """The jobs' keys without the incident's id, sorted."""
    found = rows(engine, "SELECT idempotency_key, incident_id FROM jobs")
    return sorted(row.idempotency_key.replace(f"{row.incident_id}:", "") for row in found)


def timeline(engine: Engine) -> list[str]:
    return [row.type for row in rows(engine, "SELECT type FROM events ORDER BY event_id")]


def test_an_incident_that_opens_is_diagnosed_and_escalated_as_the_rule_says(
    start: Start, engine: Engine
) -> None:
    fire(start("- {name: a, on: incident.opened, diagnose: service, escalate: default}"))
    assert keys(engine) == ["diagnose:service:incident.opened", "escalate:default:opened:1:begin"]
    assert jobs(engine, "diagnose") == [
        {"diagnosis": "service", "rule": "a", "cause": "incident.opened"},
    ]
    (begun,) = jobs(engine, "escalate")
    assert begun["rule"] == "a"
    assert [one["channels"] for one in begun["steps"]] == [["slack", "pagerduty"], ["pagerduty"]]


def test_a_message_carries_its_rule_its_text_and_how_quiet_it_is(start: Start, engine: Engine) -> None:
    rule = "- {name: a, on: incident.opened, notify: {channels: [slack], template: short, quiet: true}}"
    fire(start(rule))
    expected = {"channel": "slack", "template": "opened", "sequence": 0}
    expected |= {"rule": "a", "wording": "short", "quiet": True}
    assert jobs(engine, "notify") == [expected]
    (requested,) = rows(engine, "SELECT payload FROM events WHERE type = 'notification.requested'")
    assert json.loads(requested.payload) == expected


def test_without_channels_the_default_rules_ask_for_nothing(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    fire(make_runtime(engine), severity="critical")
    assert keys(engine) == []


def test_by_default_what_is_urgent_escalates_to_the_channels_that_there_are(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    runtime = make_runtime(engine, SLACK_WEBHOOK_URL=SLACK)
    fire(runtime, severity="critical", service="a")
    fire(runtime, severity="warning", service="b")
    (begun,) = jobs(engine, "escalate")
    assert [one["channels"] for one in begun["steps"]] == [["slack"], ["slack"]]


def test_the_default_rules_cost_the_intake_no_round_trip(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    def statements(**settings: str) -> int:
        runtime = make_runtime(engine, **settings)
        intake, counted = Intake(runtime), []
        body = bodies.alertmanager([bodies.alert(severity="critical", service=f"s{len(settings)}")])
        delivery = intake.read(body, trace_id=new_trace_id())
        event.listen(runtime.engine, "before_cursor_execute", lambda *_: counted.append(1))
        intake.accept(delivery)
        return len(counted)

    quiet = statements()
    assert statements(SLACK_WEBHOOK_URL=SLACK) == quiet + 1  # the jobs, of all kinds at once


FOLLOWING = """
- name: over
  on: action.completed
  match: action=kubernetes.scale
  resolve: true
- name: call
  on: action.failed
  escalate: default
  continue: true
- {name: look, on: [action.failed, action.rejected], diagnose: service, continue: true}
- {name: tell, on: [incident.resolved, action.failed, action.requested], notify: {channels: [slack]}}
"""


def test_a_completed_action_ends_the_incident_and_that_is_told(start: Start, engine: Engine) -> None:
    runtime = start(FOLLOWING, SLACK_WEBHOOK_URL=SLACK)
    incident = fire(runtime)
    happen(runtime, incident, EventType.ACTION_COMPLETED, "ACT-0", action="kubernetes.scale", is_dry_run=True)
    happen(runtime, incident, EventType.ACTION_COMPLETED, "ACT-1", action="http.call")
    assert rows(engine, "SELECT status FROM incidents")[0].status == "active"
    happen(runtime, incident, EventType.ACTION_COMPLETED, "ACT-2", action="kubernetes.scale")
    (row,) = rows(engine, "SELECT status, resolved_by, firing_count FROM incidents")
    assert tuple(row) == ("resolved", "rule over", 0)
    assert timeline(engine)[-2:] == ["incident.resolved", "notification.requested"]
    (resolved,) = rows(engine, "SELECT actor, payload FROM events WHERE type = 'incident.resolved'")
    assert (resolved.actor, json.loads(resolved.payload)["rule"]) == ("rule over", "over")
    assert rows(engine, "SELECT DISTINCT status FROM alert_episodes") == [("resolved",)]
    happen(runtime, incident, EventType.ACTION_COMPLETED, "ACT-3", action="kubernetes.scale")
    assert timeline(engine).count("incident.resolved") == 1


def test_each_failed_action_escalates_and_is_looked_at_by_itself_and_once(
    start: Start, engine: Engine
) -> None:
    runtime = start(FOLLOWING)
    incident = fire(runtime)
    for action_id, ordinal in (("ACT-1", 1), ("ACT-2", 2), ("ACT-2", 2)):
        happen(runtime, incident, EventType.ACTION_FAILED, action_id, action="http.call", ordinal=ordinal)
    assert keys(engine) == [
        "diagnose:service:action.failed:ACT-1",
        "diagnose:service:action.failed:ACT-2",
        "escalate:default:ACT-1:1:begin",
        "escalate:default:ACT-2:1:begin",
        "notify:slack:action_failed:1",
        "notify:slack:action_failed:2",
    ]
    assert timeline(engine).count("notification.requested") == 2


def test_an_action_is_announced_before_it_runs_only_if_somebody_must_approve_it(
    start: Start, engine: Engine
) -> None:
    runtime = start(FOLLOWING)
    incident = fire(runtime)
    happen(runtime, incident, EventType.ACTION_REQUESTED, "ACT-1", ordinal=1)
    assert keys(engine) == []
    happen(runtime, incident, EventType.ACTION_REQUESTED, "ACT-2", ordinal=2, needs_approval=True)
    assert keys(engine) == ["notify:slack:approval_needed:2"]


def test_a_message_that_was_given_up_comes_by_another_channel(start: Start, engine: Engine) -> None:
    runtime = start(
        """
        - {name: tell, on: incident.opened, notify: {channels: [slack]}}
        - {name: rescue, on: notification.failed, match: channel=slack, notify: {channels: [pagerduty]}}
        """
    )
    incident = fire(runtime)
    for _ in range(2):
        failed: dict[str, Any] = {
            "channel": "slack",
            "template": "opened",
            "sequence": 0,
            "reason": "no_such_channel",
        }
        happen(runtime, incident, EventType.NOTIFICATION_FAILED, **failed)
    assert keys(engine) == ["notify:pagerduty:opened", "notify:slack:opened"]
    rescued = jobs(engine, "notify")[1]
    assert rescued["details"] == ["slack could not be told: no_such_channel"]
    assert timeline(engine)[-3:] == ["notification.failed", "notification.requested", "notification.failed"]


def test_a_second_acknowledgement_is_a_second_message(start: Start, engine: Engine) -> None:
    runtime = start("- {name: a, on: incident.acknowledged, notify: {channels: [pagerduty]}}")
    incident = fire(runtime)
    for _ in range(2):
        with runtime.engine.begin() as connection:  # as when an acknowledgement times out
            incident_changes.change(connection, incident, {"status": "active"})
        incidents.acknowledge(runtime, incident, Deed("ann", new_trace_id()))
    assert keys(engine) == ["notify:pagerduty:acknowledged", "notify:pagerduty:acknowledged:1"]


CHAIN = """
- name: scale
  on: incident.opened
  match: namespace!=""
  run:
    action: kubernetes.scale
    target: {namespace: "{{ namespace }}", deployment: "{{ labels.deployment | default(service) }}"}
    parameters: {by: 1}
- name: restart
  on: [action.failed, action.rejected]
  match: rule!="by-hand"
  run:
    action: kubernetes.rollout_restart
    target: {namespace: "{{ namespace }}", deployment: "{{ labels.deployment }}"}
  continue: true
- name: pod
  on: [action.failed, action.rejected]
  run: {action: kubernetes.delete_pod, target: {namespace: "{{ namespace }}", pod: "{{ labels.pod }}"}}
"""


def actions(engine: Engine) -> list[tuple[str, str]]:
    """Rule and state of each action, in the order in which they were asked for."""
    found = rows(engine, "SELECT options, state FROM remediation_actions ORDER BY ordinal")
    return [(json.loads(row.options)["rule"], row.state) for row in found]


def the_action_of(engine: Engine, rule: str) -> str:
    found = rows(engine, "SELECT action_id, options FROM remediation_actions")
    return next(str(row.action_id) for row in found if json.loads(row.options)["rule"] == rule)


def test_an_alert_asks_for_an_action_in_the_transaction_that_opens_its_incident(
    start: Start, engine: Engine
) -> None:
    runtime = start(CHAIN)
    fire(runtime, namespace="shop", service="web")
    fire(runtime, namespace="shop", service="web")
    assert actions(engine) == [("scale", "requested")]
    (row,) = rows(
        engine, "SELECT action_id, type, parameters, requested_by, options FROM remediation_actions"
    )
    options = json.loads(row.options)
    assert (row.type, row.requested_by) == ("kubernetes.scale", "rule scale")
    assert (options["target"], json.loads(row.parameters)) == (
        {"namespace": "shop", "deployment": "web"},
        {"by": 1},
    )
    assert keys(engine) == [f"remediate:{row.action_id}"]
    assert timeline(engine)[:3] == ["alert.raised", "incident.opened", "action.requested"]


def test_a_label_that_is_missing_refuses_the_action_and_what_follows_is_bounded(
    start: Start, engine: Engine
) -> None:
    runtime = start(CHAIN)
    fire(runtime, namespace="shop")
    # scale lacks its deployment; restart and pod answer to that, and each to the other once, never to themselves.
    found = actions(engine)
    assert {state for _, state in found} == {"refused"}
    assert sorted(rule for rule, _ in found) == ["pod", "pod", "restart", "restart", "scale"]
    reasons = rows(engine, "SELECT DISTINCT error FROM remediation_actions ORDER BY error")
    assert [row.error for row in reasons] == [
        "service is not known here",
        "there is no label deployment",
        "there is no label pod",
    ]
    assert timeline(engine).count("action.rejected") == 5


def test_a_rule_answers_each_failure_once_and_never_its_own(start: Start, engine: Engine) -> None:
    runtime = start(CHAIN)
    incident = fire(runtime, namespace="shop", deployment="web", pod="web-0")
    assert actions(engine) == [("scale", "requested")]
    scale = the_action_of(engine, "scale")
    for _ in range(2):
        happen(runtime, incident, EventType.ACTION_FAILED, scale, rule="scale", ordinal=1)
    assert actions(engine) == [("scale", "requested"), ("restart", "requested"), ("pod", "requested")]
    restart = the_action_of(engine, "restart")
    happen(runtime, incident, EventType.ACTION_FAILED, restart, rule="restart", ordinal=2)
    assert [rule for rule, _ in actions(engine)] == ["scale", "restart", "pod", "pod"]


def test_what_is_told_of_a_person_s_action_is_for_the_rules_too(start: Start, engine: Engine) -> None:
    runtime = start(CHAIN)
    incident = fire(runtime, namespace="shop", deployment="web", pod="web-0")
    happen(runtime, incident, EventType.ACTION_FAILED, "ACT-by-hand", rule="", ordinal=2)
    assert [rule for rule, _ in actions(engine)] == ["scale", "restart", "pod"]


NUMBER = """
- name: scale
  on: incident.opened
  run:
    action: kubernetes.scale
    target: {namespace: shop, deployment: web}
    parameters: {by: "{{ labels.step }}"}
"""


def test_a_number_from_a_label_is_a_number_in_the_action_and_anything_else_refuses_it(
    start: Start, engine: Engine
) -> None:
    runtime = start(NUMBER)
    for step in ("3", "3; rm -rf /", ""):
        fire(runtime, service=f"s{len(step)}", **({"step": step} if step else {}))
    found = rows(
        engine, "SELECT state, parameters, error FROM remediation_actions ORDER BY incident_id, error"
    )
    by_error = {row.error: (row.state, json.loads(row.parameters)) for row in found}
    assert by_error.keys() == {None, 'by: "3; rm -rf /" is not a whole number', "there is no label step"}
    assert by_error[None] == ("requested", {"by": 3})
    assert {state for error, (state, _) in by_error.items() if error} == {"refused"}

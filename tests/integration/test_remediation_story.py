"""From an alert to the mended service by a rules file: the first remedy fails, the second one helps."""

from __future__ import annotations

import pytest

from receiver.domain.events import EventType
from tests.builders.jobs import pass_time
from tests.builders.remediation import (
    actions,
    incident,
    let_time_pass,
    of_type,
    open_incident,
    timeline,
    work,
)
from tests.builders.rules import rules_text
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import Fault, KubernetesServer

TARGET = '{namespace: "{{ namespace }}", deployment: "{{ service }}"}'
RULES = f"""
- name: cpu-scale
  on: incident.opened
  match: alertname="CpuHigh"
  run: {{action: kubernetes.scale, target: {TARGET}, parameters: {{by: 1, max: 6}}, resolves: true}}
- name: cpu-restart
  on: action.failed
  match: rule="cpu-scale"
  run: {{action: kubernetes.rollout_restart, target: {TARGET}, resolves: true}}
- name: last-resort
  on: action.rejected
  match: rule="cpu-scale"
  run: {{action: kubernetes.rollout_restart, target: {TARGET}}}
"""


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=2))
        yield server


@pytest.fixture
def runtime(engine, make_runtime, cluster, tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(rules_text(RULES))
    return make_runtime(engine, RULES=str(file), **cluster.settings)


def work_it_off(engine, runtime):
    for _ in range(8):
        work(runtime)
        pass_time(engine, 700)
        let_time_pass(
            engine, 61
        )  # so that the breaker, which opens after five failures, lets a probe through


def test_the_alert_is_mended_and_its_incident_resolved(engine, runtime, cluster):
    incident_id = open_incident(runtime, namespace="shop", service="svc-a")
    work_it_off(engine, runtime)
    assert cluster.replicas("shop", "svc-a") == 3
    mended = incident(engine, incident_id)
    assert (mended["status"], mended["resolved_by"]) == ("resolved", "rule cpu-scale")
    told = [event.type.value for event in timeline(engine, incident_id)]
    assert told == [
        "alert.raised",
        "incident.opened",
        "action.requested",
        "incident.updated",
        "action.completed",
        "incident.resolved",
    ]
    assert {event.trace_id for event in timeline(engine, incident_id)} == {mended["trace_id"]}


def test_when_the_first_remedy_runs_out_of_attempts_the_second_one_is_asked_for(engine, runtime, cluster):
    cluster.fail_always(Fault(status=429, method="PUT"))  # to scale is what does not work
    incident_id = open_incident(runtime, namespace="shop", service="svc-a")
    work_it_off(engine, runtime)
    assert [(row["type"], row["state"].value) for row in actions(engine)] == [
        ("kubernetes.scale", "failed"),
        ("kubernetes.rollout_restart", "completed"),
    ]
    assert incident(engine, incident_id)["resolved_by"] == "rule cpu-restart"
    (failed,) = of_type(engine, incident_id, EventType.ACTION_FAILED)
    assert failed.payload["mitigation"] == ["mitigating", "failed"]


def test_a_refusal_is_an_event_that_rules_may_answer(engine, runtime, cluster):
    incident_id = open_incident(runtime, namespace="default; rm -rf /", service="svc-a")
    work_it_off(engine, runtime)
    refusals = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    assert [event.payload["action"] for event in refusals] == [
        "kubernetes.scale",
        "kubernetes.rollout_restart",
    ]
    assert cluster.journal() == []

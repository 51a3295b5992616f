"""An action that is refused fails the mitigation that waited for it, and is asked for in one event."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from receiver.domain.events import EventType
from receiver.worker.loop import run_due
from tests.builders.flow import rules_file
from tests.builders.jobs import pass_time
from tests.builders.remediation import incident, of_type, open_incident, scale, wish, work
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import KubernetesServer


@pytest.fixture
def runtime(engine, make_runtime):
    return make_runtime(engine, REMEDIATION_ALLOW="command.run")


@pytest.fixture
def incident_id(engine, runtime):
    """An incident that is being looked into."""
    opened = open_incident(runtime)
    with engine.begin() as connection:
        connection.execute(text("UPDATE incidents SET mitigation = 'investigating'"))
    return opened


def test_the_refusal_of_the_last_action_fails_the_mitigation(engine, runtime, incident_id):
    wish(runtime, incident_id, scale())
    work(runtime)
    (event,) = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    assert event.payload["mitigation"] == ["investigating", "failed"]
    assert incident(engine, incident_id)["mitigation"] == "failed"


def test_so_does_an_action_whose_texts_cannot_be_filled_in(engine, runtime, incident_id, caplog):
    wish(runtime, incident_id, scale(service="{{ labels.nothing_of_this_name }}"))
    (event,) = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    assert (event.payload["refusal"], event.payload["mitigation"]) == ("invalid", ["investigating", "failed"])
    (line,) = [one for one in caplog.records if one.message == "action.refused"]
    assert vars(line)["reason"] == event.payload["reason"]
    assert incident(engine, incident_id)["mitigation"] == "failed"


def test_an_approval_that_only_newer_settings_want_is_asked_for_all_the_same(engine, make_runtime, cluster):
    before = make_runtime(engine, **cluster.settings)
    incident_id = open_incident(before)
    wish(before, incident_id, scale())
    work(make_runtime(engine, REMEDIATION_APPROVAL="kubernetes.*", **cluster.settings))
    asked = of_type(engine, incident_id, EventType.ACTION_REQUESTED)
    assert [one.payload["needs_approval"] for one in asked] == [False, True]


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=2))
        yield server


def test_people_are_asked_once_and_with_the_plan(engine, make_runtime, cluster, slack, tmp_path):
    rules = (
        "- name: scale\n  on: incident.opened\n  continue: true\n  run:\n    action: kubernetes.scale\n"
        "    target: {namespace: shop, deployment: svc-a}\n    parameters: {by: 1, max: 5}\n    approval: required\n"
        "- {name: ask, on: action.requested, notify: {channels: [slack]}}\n"
    )
    settings = {"SLACK_WEBHOOK_URL": slack.url, "RULES": rules_file(tmp_path, rules)}
    runtime = make_runtime(engine, **settings, **cluster.settings)
    incident_id = open_incident(runtime)
    for _ in range(3):
        run_due(runtime)
        pass_time(engine, 5)
    (asked,) = of_type(engine, incident_id, EventType.ACTION_REQUESTED)
    assert asked.payload["needs_approval"] is True
    (message,) = slack.messages()
    assert str(message).count("scale shop/svc-a from 2 to 3 replicas") == 1

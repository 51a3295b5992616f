"""The way of an action that goes well, and of those that are not carried out: each end has its event and its reason."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from receiver.domain.events import EventType
from receiver.domain.remediation import Mode
from receiver.domain.rules.run_spec import RunSpec, VerifySpec
from receiver.services import incidents
from receiver.services.incidents import Deed
from receiver.services.remediation import switch
from tests.builders.jobs import pass_time, states
from tests.builders.remediation import (
    action,
    audits,
    incident,
    let_time_pass,
    of_type,
    open_incident,
    resolve_alert,
    restart,
    scale,
    timeline,
    wish,
    work,
)
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import Fault, KubernetesServer

TRACE = "0" * 32


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=2))
        yield server


@pytest.fixture
def runtime(engine, make_runtime, cluster):
    return make_runtime(engine, **cluster.settings)


def rejected(engine, incident_id):
    (event,) = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    return event.payload["refusal"], event.payload["reason"]


def test_an_action_is_carried_out_once_and_tells_everything_it_did(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale(resolves=True))
    assert action(engine, action_id)["state"] == "requested"
    work(runtime)
    row = action(engine, action_id)
    assert (row["state"], row["attempt"], row["error"]) == ("completed", 1, None)
    assert row["target"] == "kubernetes:shop/deployment/svc-a"
    assert (row["from_state"], row["to_state"]) == ({"replicas": 2}, {"replicas": 3})
    assert row["output"] == "scaled shop/svc-a from 2 to 3 replicas"
    assert row["started_at"] <= row["finished_at"]
    assert cluster.replicas("shop", "svc-a") == 3
    mended = incident(engine, incident_id)
    assert (mended["status"], mended["mitigation"], mended["resolved_by"]) == (
        "resolved",
        "succeeded",
        "rule mend",
    )
    told = [(event.type.value, event.actor) for event in timeline(engine, incident_id)]
    assert told == [
        ("alert.raised", told[0][1]),
        ("incident.opened", told[1][1]),
        ("action.requested", "rule mend"),
        ("incident.updated", "worker"),
        ("action.completed", "worker"),
        ("incident.resolved", "rule mend"),
    ]
    (begun,) = of_type(engine, incident_id, EventType.INCIDENT_UPDATED)
    assert begun.payload["changes"] == {"mitigation": ["none", "mitigating"]}
    (completed,) = of_type(engine, incident_id, EventType.ACTION_COMPLETED)
    assert completed.payload["mitigation"] == ["mitigating", "succeeded"]
    assert completed.payload["action"] == "kubernetes.scale"
    assert completed.payload["rule"] == "mend"


def test_the_same_wish_is_one_action_however_often_it_is_made(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    first = wish(runtime, incident_id, scale())
    assert wish(runtime, incident_id, scale()) == first
    work(runtime)
    assert wish(runtime, incident_id, scale()) == first
    work(runtime)
    assert len(cluster.changes()) == 1
    assert len(of_type(engine, incident_id, EventType.ACTION_REQUESTED)) == 1


def test_a_job_that_comes_again_after_the_end_does_nothing(engine, runtime, cluster):
    action_id = wish(runtime, open_incident(runtime), scale())
    work(runtime)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'ready' WHERE kind = 'remediate'"))
    assert work(runtime) == 1
    assert len(cluster.changes()) == 1
    assert action(engine, action_id)["state"] == "completed"


def test_without_resolves_the_incident_stays_open(engine, runtime):
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, scale())
    work(runtime)
    assert incident(engine, incident_id)["status"] == "active"
    assert incident(engine, incident_id)["mitigation"] == "succeeded"


def test_texts_are_filled_in_from_the_alert(engine, runtime, cluster):
    target = {"namespace": "{{ labels.namespace }}", "deployment": "{{ labels.app }}"}
    spec = RunSpec("kubernetes.scale", target, {"by": 1})
    labels = {"namespace": "shop", "app": "svc-a"}
    wish(runtime, open_incident(runtime), spec, labels=labels)
    work(runtime)
    assert cluster.replicas("shop", "svc-a") == 3


def test_a_label_that_is_missing_refuses_the_action_at_once(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    spec = RunSpec("kubernetes.scale", {"namespace": "shop", "deployment": "{{ labels.app }}"}, {"by": 1})
    action_id = wish(runtime, incident_id, spec)
    assert action(engine, action_id)["state"] == "refused"
    assert "there is no label app" in action(engine, action_id)["error"]
    assert rejected(engine, incident_id)[0] == "invalid"
    assert work(runtime) == 0
    assert cluster.journal() == []


@pytest.mark.parametrize(
    "namespace", ["default; rm -rf /", "../kube-system", "--all", "x" * 300, "shop/../x", "Shop", "", "shöp"]
)
def test_names_that_are_none_are_refused_and_recorded_and_nothing_is_asked(
    engine, runtime, cluster, namespace
):
    incident_id = open_incident(runtime)
    spec = RunSpec("kubernetes.scale", {"namespace": namespace, "deployment": "svc-a"}, {"by": 1})
    action_id = wish(runtime, incident_id, spec)
    work(runtime)
    row = action(engine, action_id)
    assert row["state"] == "refused"
    assert row["options"]["target"]["namespace"] == namespace
    refusal, reason = rejected(engine, incident_id)
    assert refusal == "invalid"
    assert "namespace" in reason
    assert cluster.journal() == []


def test_an_action_that_is_not_allowed_by_name_is_refused(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, RunSpec("kubernetes.cordon", {"node": "n1"}))
    work(runtime)
    assert rejected(engine, incident_id) == (
        "not_allowed",
        "RECEIVER_REMEDIATION_ALLOW does not name kubernetes.cordon",
    )
    assert cluster.journal() == []


def test_an_action_of_an_incident_that_is_over_is_refused(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, scale())
    incidents.resolve(runtime, incident_id, Deed("ann", TRACE))
    work(runtime)
    assert rejected(engine, incident_id) == ("incident_over", "the incident is resolved by now")
    assert cluster.journal() == []


def test_an_action_that_is_older_than_its_limit_expires_and_does_not_run_late(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale(expires_after_seconds=60))
    let_time_pass(engine, 61)
    work(runtime)
    assert action(engine, action_id)["state"] == "expired"
    assert rejected(engine, incident_id)[0] == "expired"
    assert cluster.journal() == []


def test_the_budget_counts_for_the_target_over_all_incidents(engine, runtime, cluster):
    for _ in range(3):
        wish(runtime, open_incident(runtime), scale())
    work(runtime)
    late = open_incident(runtime)
    wish(runtime, late, scale())
    work(runtime)
    assert rejected(engine, late)[0] == "budget"
    assert cluster.replicas("shop", "svc-a") == 5
    let_time_pass(engine, 3600)
    wish(runtime, open_incident(runtime), scale())
    work(runtime)
    assert cluster.replicas("shop", "svc-a") == 6


def test_the_budget_counts_for_the_incident_over_all_targets(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    for number in range(4):
        cluster.put("shop", deployment(f"other-{number}"))
        wish(runtime, incident_id, scale(f"other-{number}"), rule=f"mend-{number}")
    work(runtime)
    assert rejected(engine, incident_id)[0] == "budget"
    assert len(cluster.changes()) == 3
    wish(runtime, incident_id, restart())  # another action has a budget of its own
    work(runtime)
    assert len(cluster.changes()) == 4


def test_nothing_runs_while_the_switch_is_off_and_the_refusal_says_so(engine, runtime, cluster):
    assert switch.turn(engine, Mode.OFF, "ann", TRACE).mode is Mode.ON
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, scale())
    work(runtime)
    assert rejected(engine, incident_id) == ("switched_off", "remediation is switched off")
    assert cluster.journal() == []
    switch.turn(engine, Mode.ON, "ann", TRACE)
    wish(runtime, open_incident(runtime), scale())
    work(runtime)
    assert len(cluster.changes()) == 1
    assert [(row["actor"], row["action"], row["detail"]) for row in audits(engine)] == [
        ("ann", "remediation.switched", {"from": "on", "to": "off"}),
        ("ann", "remediation.switched", {"from": "off", "to": "on"}),
    ]


@pytest.mark.parametrize("how", ["rule", "switch", "setting"])
def test_a_dry_run_tells_the_plan_and_changes_nothing(engine, runtime, make_runtime, cluster, how):
    if how == "switch":
        switch.turn(engine, Mode.DRY_RUN, "ann", TRACE)
    if how == "setting":
        runtime = make_runtime(engine, REMEDIATION="dry-run", **cluster.settings)
    incident_id = open_incident(runtime)
    action_id = wish(
        runtime, incident_id, scale(is_dry_run=how == "rule", resolves=True, needs_approval=True)
    )
    work(runtime)
    row = action(engine, action_id)
    assert (row["state"], row["is_dry_run"], row["started_at"]) == ("completed", True, None)
    assert row["output"] == "scale shop/svc-a from 2 to 3 replicas; it would need a person's approval"
    assert (row["from_state"], row["to_state"]) == ({"replicas": 2}, {"replicas": 3})
    (event,) = of_type(engine, incident_id, EventType.ACTION_COMPLETED)
    assert (event.payload["outcome"], event.payload["is_dry_run"]) == ("dry_run", True)
    assert cluster.changes() == []
    assert incident(engine, incident_id)["status"] == "active"
    assert incident(engine, incident_id)["mitigation"] == "none"


def test_the_setting_is_stronger_than_the_switch(engine, make_runtime, cluster):
    runtime = make_runtime(engine, REMEDIATION="off", **cluster.settings)
    switch.turn(engine, Mode.ON, "ann", TRACE)
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, scale())
    work(runtime)
    assert rejected(engine, incident_id)[0] == "switched_off"


def test_without_a_cluster_the_refusal_says_what_to_set(engine, make_runtime):
    runtime = make_runtime(engine)
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, scale())
    work(runtime)
    refusal, reason = rejected(engine, incident_id)
    assert refusal == "invalid"
    assert "RECEIVER_KUBERNETES_URL" in reason


def test_where_there_is_nothing_to_do_nothing_is_mended(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    spec = RunSpec(
        "kubernetes.scale", {"namespace": "shop", "deployment": "svc-a"}, {"replicas": 2}, resolves=True
    )
    action_id = wish(runtime, incident_id, spec)
    work(runtime)
    assert action(engine, action_id)["state"] == "failed"
    (event,) = of_type(engine, incident_id, EventType.ACTION_FAILED)
    assert event.payload["outcome"] == "nothing_to_do"
    assert incident(engine, incident_id)["mitigation"] == "failed"
    assert cluster.changes() == []


def test_an_action_verified_by_its_alerts_is_complete_once_they_resolve(engine, runtime):
    incident_id = open_incident(runtime, service="svc-v")
    verify = VerifySpec(within_seconds=600, alert_resolved=True)
    action_id = wish(runtime, incident_id, scale(verify=verify))
    work(runtime)
    assert action(engine, action_id)["state"] == "verifying"
    assert incident(engine, incident_id)["mitigation"] == "mitigating"
    pass_time(engine, 60)
    work(runtime)
    assert action(engine, action_id)["state"] == "verifying"
    resolve_alert(runtime, service="svc-v")
    pass_time(engine, 60)
    work(runtime)
    assert action(engine, action_id)["state"] == "completed"
    assert incident(engine, incident_id)["mitigation"] == "succeeded"
    assert incident(engine, incident_id)["resolved_by"] == "alert"


def test_an_action_that_does_not_help_in_time_has_failed(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    verify = VerifySpec(within_seconds=0.0, alert_resolved=True)
    action_id = wish(runtime, incident_id, scale(verify=verify, resolves=True))
    work(runtime)
    pass_time(engine, 60)
    work(runtime)
    row = action(engine, action_id)
    assert row["state"] == "failed"
    assert row["error"] == "it was carried out, but did not help within 0 s: 1 of its alerts still fire"
    (event,) = of_type(engine, incident_id, EventType.ACTION_FAILED)
    assert event.payload["outcome"] == "unverified"
    assert incident(engine, incident_id)["status"] == "active"
    assert len(cluster.changes()) == 1


def test_a_failed_action_of_two_under_way_has_not_failed_the_mitigation_yet(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    cluster.fail(Fault(status=403))
    wish(runtime, incident_id, scale(), rule="first")
    wish(runtime, incident_id, restart(), rule="second")
    work(runtime)
    assert [one.payload["action"] for one in of_type(engine, incident_id, EventType.ACTION_FAILED)] == [
        "kubernetes.scale"
    ]
    assert incident(engine, incident_id)["mitigation"] == "succeeded"
    assert set(states(engine).values()) >= {"done", "dead"}


def test_a_query_decides_whether_it_has_helped(engine, make_runtime, cluster, httpserver):
    for value in ("0.95", None, "0.42"):
        result = [] if value is None else [{"metric": {}, "value": [1772366400.0, value]}]
        answer = {"status": "success", "data": {"resultType": "vector", "result": result}}
        httpserver.expect_ordered_request("/api/v1/query").respond_with_json(answer)
    runtime = make_runtime(engine, PROMETHEUS_URL=httpserver.url_for(""), **cluster.settings)
    verify = VerifySpec(within_seconds=600, query='cpu{service="{{ labels.app }}"}', holds="< 0.9")
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale(verify=verify, resolves=True), labels={"app": "svc-a"})
    work(runtime)
    for _ in range(3):
        assert action(engine, action_id)["state"] == "verifying"
        pass_time(engine, 60)
        work(runtime)
    assert action(engine, action_id)["state"] == "completed"
    (event,) = of_type(engine, incident_id, EventType.ACTION_COMPLETED)
    assert event.payload["verified"] == "the query gave 0.42, wanted is < 0.9"
    assert incident(engine, incident_id)["status"] == "resolved"
    assert {request.args["query"] for request, _ in httpserver.log} == {'cpu{service="svc-a"}'}

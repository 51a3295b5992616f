"""Pods of a diagnosis, asked of an HTTP server that behaves like the Kubernetes API."""

from __future__ import annotations

import pytest

from receiver.config import load
from receiver.diagnostics.registry import build_collector
from receiver.domain.diagnosis import Diagnosis, PodsProbe
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.render import view_of
from tests.fakes.kube_objects import deployment, event, pod
from tests.fakes.kubernetes import Fault, KubernetesServer

OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T03:00:00Z"}}
ERROR = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-21T02:00:00Z"}}


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        yield server


def look(cluster, probe=None, *, labels=None, **settings):
    environ = {f"RECEIVER_{name}": value for name, value in (cluster.settings | settings).items()}
    view = view_of(Subject({"service": "svc-a", "namespace": "shop"}, labels or {}))
    probe = probe or PodsProbe("{{ namespace }}", "{{ service }}")
    return build_collector(load(environ)).collect(Diagnosis(pods=probe), view)["pods"]


def broken(name, *, restarts, last, waiting="CrashLoopBackOff"):
    container = {
        "name": "main",
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": waiting}},
        "lastState": last,
    }
    return pod(name, ready=False, containerStatuses=[container])


def with_ready(one, number):
    one["status"] |= {"readyReplicas": number}
    return one


def test_a_deployment_that_runs_is_all_right(cluster):
    cluster.put(
        "shop", deployment("svc-a", replicas=2), pod("svc-a-1"), pod("svc-a-2"), pod("other", app="other")
    )
    found = look(cluster)
    assert found["ok"] is True
    assert (found["ready"], found["wanted"], found["updated"], found["restarts"]) == (2, 2, 2, 0)
    assert (found["namespace"], found["deployment"]) == ("shop", "svc-a")
    assert [one["name"] for one in found["pods"]] == ["svc-a-1", "svc-a-2"]
    assert found["events"] == []
    assert "last_termination" not in found
    assert found["at"].endswith("Z")


def test_pods_that_crash_are_told_with_the_reason_and_what_the_cluster_says(cluster):
    cluster.put(
        "shop",
        with_ready(deployment("svc-a", replicas=3), 1),
        pod("svc-a-1", restarts=2),
        broken("svc-a-2", restarts=7, last=OOM),
        broken("svc-a-3", restarts=1, last=ERROR),
        event("e1", "svc-a-2", "BackOff", "Back-off restarting\n failed container", count=9),
        event("e2", "svc-a", "FailedCreate", "quota", kind="Deployment"),
        event("e3", "somebody-else", "BackOff", "not ours"),
        event("e4", "svc-a", "ScalingReplicaSet", "Scaled up", kind="Deployment") | {"type": "Normal"},
        event("e5", "svc-a-1", "Pulled", "Container image pulled") | {"type": "Normal"},
    )
    found = look(cluster)
    assert found["ok"] is False
    assert (found["ready"], found["wanted"], found["restarts"]) == (1, 3, 10)
    assert found["waiting"] == {"CrashLoopBackOff": 2}
    assert found["last_termination"] == {
        "reason": "OOMKilled",
        "exit_code": 137,
        "pod": "svc-a-2",
        "container": "main",
        "at": "2026-11-21T03:00:00.000Z",
    }
    assert [one["name"] for one in found["pods"]] == ["svc-a-2", "svc-a-3", "svc-a-1"]
    assert found["pods"][0] == {
        "name": "svc-a-2",
        "ready": False,
        "phase": "Running",
        "reason": "CrashLoopBackOff",
        "restarts": 7,
    }
    told = [(one["object"], one["type"], one["reason"]) for one in found["events"]]
    assert told == [
        ("Pod/svc-a-2", "Warning", "BackOff"),
        ("Deployment/svc-a", "Warning", "FailedCreate"),
        ("Deployment/svc-a", "Normal", "ScalingReplicaSet"),
    ]
    assert found["events"][0]["message"] == "Back-off restarting failed container"
    assert found["events"][0]["count"] == 9


def test_a_deployment_that_was_scaled_to_nothing_is_not_all_right(cluster):
    cluster.put("shop", deployment("svc-a", replicas=0))
    found = look(cluster)
    assert (found["ok"], found["ready"], found["wanted"]) == (False, 0, 0)


def test_pods_without_a_deployment_are_found_by_their_labels(cluster):
    cluster.put(
        "jobs", pod("worker-1", app="worker"), pod("worker-2", app="worker", ready=False), pod("x", app="x")
    )
    found = look(cluster, PodsProbe("jobs", selector="app={{ labels.app }}"), labels={"app": "worker"})
    assert (found["ok"], found["ready"], found["wanted"]) == (False, 1, 2)
    assert found["selector"] == "app=worker"


def test_pods_that_are_done_or_going_count_for_nothing(cluster):
    going = pod("worker-2", app="worker", ready=False)
    going["metadata"]["deletionTimestamp"] = "2026-11-21T03:00:00Z"
    done = pod("worker-3", app="worker", ready=False, phase="Succeeded")
    cluster.put("jobs", pod("worker-1", app="worker"), going, done)
    found = look(cluster, PodsProbe("jobs", selector="app=worker"))
    assert (found["ok"], found["ready"], found["wanted"]) == (True, 1, 1)


def test_a_deployment_that_is_not_there_is_said(cluster):
    assert look(cluster)["error"] == "the namespace shop has no deployment svc-a"


@pytest.mark.parametrize(
    "namespace",
    [
        "default; rm -rf /",
        "../kube-system",
        "--all",
        "a" * 64,
        "Shop",
        "shop/pods",
        "shop?x=",
        "kube system",
        "ä",
        "-",
        "a\n",
    ],
)
def test_a_namespace_of_an_alert_that_is_no_name_is_refused_before_any_call(cluster, namespace):
    found = look(cluster, PodsProbe("{{ labels.place }}", "svc-a"), labels={"place": namespace})
    assert "is no name in Kubernetes" in found["error"]
    assert namespace not in found["error"]
    assert cluster.journal() == []


def test_a_deployment_of_an_alert_that_is_no_name_is_refused_before_any_call(cluster):
    for name in ("svc-a/scale", "..", "a" * 254, "svc_a", "svc-a "):
        found = look(cluster, PodsProbe("shop", "{{ labels.name }}"), labels={"name": name})
        assert "is no name in Kubernetes" in found["error"]
    assert cluster.journal() == []


def test_a_label_adds_no_requirement_to_a_selector(cluster):
    for value in ("worker,tier", "worker,tier=x", "worker in (a)", "!x", "a=b", "x" * 64):
        found = look(cluster, PodsProbe("jobs", selector="app={{ labels.app }}"), labels={"app": value})
        assert "is no selector" in found["error"]
    assert cluster.journal() == []


def test_events_that_may_not_be_read_leave_the_rest_as_it_is(cluster):
    cluster.put("shop", deployment("svc-a"), pod("svc-a-1"))
    cluster.fail_always(Fault(403, method="GET", path="/events"))
    found = look(cluster)
    assert found["ok"] is True
    assert "403" in found["events_error"]


def test_an_api_server_that_fails_is_a_result_without_a_secret(cluster):
    cluster.fail_always(Fault(503, method="GET"))
    found = look(cluster)
    assert found["ok"] is False
    assert "503" in found["error"]
    assert cluster.token not in str(found)


def test_without_a_cluster_the_result_says_what_to_set(cluster):
    found = look(cluster, KUBERNETES_URL="", KUBERNETES_TOKEN="")
    assert "RECEIVER_KUBERNETES_URL" in found["error"]


def test_nothing_is_changed(cluster):
    cluster.put("shop", deployment("svc-a"), pod("svc-a-1"))
    look(cluster)
    assert {one.method for one in cluster.journal()} == {"GET"}
    assert cluster.changes() == []

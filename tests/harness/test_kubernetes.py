"""The played API server behaves as the real one where tests rely on it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.kube_objects import deployment, hpa, pod
from tests.fakes.kubernetes import TOKEN, Fault, KubernetesServer

DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/svc-a"


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        server.put("shop", deployment(), pod("svc-a-1"), hpa("svc-a"))
        yield server


def ask(
    cluster: KubernetesServer,
    method: str,
    path: str,
    body: Any = None,
    kind: str = "application/json",
    token: str = TOKEN,
) -> tuple[int, Any]:
    request = urllib.request.Request(
        cluster.url + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_put_with_an_old_version_is_a_conflict_and_changes_nothing(cluster):
    _, scale = ask(cluster, "GET", f"{DEPLOYMENT}/scale")
    cluster.touch("deployments", "shop", "svc-a")
    scale["spec"]["replicas"] = 3
    status, answer = ask(cluster, "PUT", f"{DEPLOYMENT}/scale", scale)
    assert (status, answer["kind"], answer["reason"]) == (409, "Status", "Conflict")
    assert cluster.replicas("shop", "svc-a") == 1
    assert cluster.changes() == []


def test_every_change_gives_a_new_version_and_a_change_to_the_same_does_not(cluster):
    versions = [cluster.read("deployments", "shop", "svc-a")["metadata"]["resourceVersion"]]
    for replicas in (2, 2):
        ask(cluster, "PATCH", DEPLOYMENT, {"spec": {"replicas": replicas}}, "application/merge-patch+json")
        versions.append(cluster.read("deployments", "shop", "svc-a")["metadata"]["resourceVersion"])
    assert versions[0] != versions[1] == versions[2]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/svc-b", None, (404, "NotFound")),
        ("GET", "/apis/nothing/v1/things", None, (404, "NotFound")),
        ("PATCH", DEPLOYMENT, {"spec": {"replicas": -1}}, (422, "Invalid")),
        ("POST", "/api/v1/namespaces/shop/pods", pod("svc-a-1"), (409, "AlreadyExists")),
        ("POST", "/api/v1/namespaces/shop/pods", pod("Bad_Name"), (422, "Invalid")),
    ],
)
def test_refusals_are_status_objects_with_the_reason_of_the_real_one(cluster, method, path, body, expected):
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    status, answer = ask(cluster, method, path, body, kind)
    assert (status, answer["reason"], answer["code"]) == (*expected, expected[0])


def test_without_the_token_nobody_is_let_in(cluster):
    assert ask(cluster, "GET", DEPLOYMENT, token="another")[0] == 401


def test_what_the_rules_do_not_allow_is_forbidden(cluster):
    cluster.allow_only([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}])
    assert ask(cluster, "GET", DEPLOYMENT)[0] == 200
    assert ask(cluster, "GET", f"{DEPLOYMENT}/scale")[0] == 403
    assert ask(cluster, "PATCH", DEPLOYMENT, {}, "application/merge-patch+json")[0] == 403


def test_a_release_makes_a_replicaset_and_raises_the_revision(cluster):
    cluster.release("shop", "svc-a", "svc-a:2")
    annotations = cluster.read("deployments", "shop", "svc-a")["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "2"
    assert len(cluster.names("replicasets", "shop")) == 2


@pytest.mark.parametrize("done", [False, True])
def test_a_fault_comes_before_or_after_the_deed_and_the_journal_says_which(cluster, done):
    cluster.fail(Fault(500, done=done))
    status, _ = ask(cluster, "PATCH", DEPLOYMENT, {"spec": {"replicas": 2}}, "application/merge-patch+json")
    assert status == 500
    assert cluster.replicas("shop", "svc-a") == (2 if done else 1)
    assert [one.applied for one in cluster.journal()] == [done]


def test_faults_are_for_the_requests_that_they_name(cluster):
    cluster.fail(Fault(503, path="deployments", retry_after=3))
    assert ask(cluster, "GET", DEPLOYMENT)[0] == 200
    assert ask(cluster, "DELETE", "/api/v1/namespaces/shop/pods/svc-a-1", {})[0] == 200
    assert ask(cluster, "PATCH", DEPLOYMENT, {}, "application/merge-patch+json")[0] == 503

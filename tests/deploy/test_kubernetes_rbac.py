"""deploy/kubernetes/rbac.yaml allows what the receiver asks of a cluster, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from receiver.diagnostics.kubernetes import Pods
from receiver.domain.diagnosis import PodsProbe
from receiver.httpclient import HttpClient
from receiver.kubeclient import Access, KubeClient
from tests.builders.actions import SHOP, actions, carry_out
from tests.fakes.kubernetes import KubernetesServer
from tests.fakes.tools import ROOT
from tests.integration.test_actions_kubernetes import ALL, populate

Allowed = set[tuple[str, str, str]]
ROLES = {
    one["metadata"]["name"]: one["rules"]
    for one in yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "rbac.yaml").read_text())
    if one and one["kind"] == "ClusterRole"
}
ON_NODES = ("kubernetes.cordon", "kubernetes.uncordon")


def allowed(role: str) -> Allowed:
    return {
        (group, resource, verb)
        for rule in ROLES[role]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(cluster: KubernetesServer) -> Allowed:
    assert [one for one in cluster.journal() if one.status == 403] == []
    return {(one.group, one.resource, one.verb) for one in cluster.journal()}


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        populate(server)
        yield server


@pytest.mark.parametrize("role", ["receiver-acts", "receiver-cordons"])
def test_the_roles_of_the_actions_list_exactly_what_the_actions_ask_for(cluster, role):
    cluster.allow_only(ROLES[role])
    known = actions(**cluster.settings)
    for name, wanted in ALL.items():
        if (name in ON_NODES) is (role == "receiver-cordons"):
            carry_out(known, wanted)
    assert asked(cluster) == allowed(role)


def test_the_role_that_looks_lists_exactly_what_diagnoses_ask_for(cluster):
    cluster.allow_only(ROLES["receiver-looks"])
    probe = PodsProbe(namespace=SHOP["namespace"], deployment=SHOP["deployment"])
    kube = KubeClient(Access(cluster.url, cluster.token), HttpClient())
    Pods(lambda _: kube).look(probe, {})
    assert asked(cluster) == allowed("receiver-looks")


def test_nothing_is_allowed_by_a_star_or_across_all_namespaces():
    documents: list[Any] = [
        one for one in yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "rbac.yaml").read_text()) if one
    ]
    bound = {one["roleRef"]["name"] for one in documents if one["kind"] == "ClusterRoleBinding"}
    assert bound == {"receiver-looks"}
    assert "*" not in {word for role in ROLES for triple in allowed(role) for word in triple}
    assert "secrets" not in {resource for role in ROLES for _, resource, _ in allowed(role)}

"""`receiver doctor` on Prometheus and Kubernetes: whether they can be asked, in words, without a secret."""

from __future__ import annotations

import pytest

from receiver.config import load
from receiver.domain.finding import Level
from receiver.services.diagnostics_check import check_diagnostics
from tests.fakes.kubernetes import Fault, KubernetesServer
from tests.fakes.ports import free_port
from tests.fakes.slack import Answer, SlackServer

ONE = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}'
SECRET = "secret-of-the-token"


def findings(**settings):
    loaded = load({f"RECEIVER_{name}": str(value) for name, value in settings.items()})
    found = list(check_diagnostics(loaded))
    assert SECRET not in repr(found)
    return {one.subject: one for one in found}


@pytest.fixture
def cluster():
    with KubernetesServer(token=SECRET) as server:
        yield server


def test_what_is_not_set_up_is_not_looked_at():
    assert findings() == {}


def test_a_prometheus_that_answers_queries_is_all_right():
    with SlackServer() as server:
        server.answer_always(Answer(200, ONE))
        found = findings(PROMETHEUS_URL=server.base_url, PROMETHEUS_TOKEN=SECRET)
    assert found["Prometheus"].level is Level.OK


@pytest.mark.parametrize("answer", [Answer(401, f"no {SECRET}"), Answer(200, "<html>login</html>")])
def test_a_prometheus_that_answers_no_queries_is_said_with_what_to_do(answer):
    with SlackServer() as server:
        server.answer_always(answer)
        found = findings(PROMETHEUS_URL=server.base_url, PROMETHEUS_TOKEN=SECRET)["Prometheus"]
    assert found.level is Level.BAD
    assert "RECEIVER_PROMETHEUS_URL" in found.advice


def test_a_prometheus_that_is_not_there_is_said():
    found = findings(PROMETHEUS_URL=f"http://127.0.0.1:{free_port()}")["Prometheus"]
    assert (found.level, found.text) == (Level.BAD, "cannot be asked: connection refused")


def test_a_cluster_that_lets_us_look_is_all_right_and_nothing_is_changed_there(cluster):
    assert findings(**cluster.settings)["Kubernetes"].level is Level.OK
    assert cluster.changes() == []


def test_rights_for_some_namespaces_only_are_no_fault(cluster):
    cluster.allow_only([])
    assert findings(**cluster.settings)["Kubernetes"].level is Level.OK


def test_a_token_that_is_not_accepted_is_said(cluster):
    found = findings(**cluster.settings | {"KUBERNETES_TOKEN": "another"})["Kubernetes"]
    assert (found.level, found.text) == (Level.BAD, "does not accept our credentials")


def test_a_cluster_in_trouble_is_a_warning(cluster):
    cluster.fail_always(Fault(503, method="GET"))
    assert findings(**cluster.settings)["Kubernetes"].level is Level.WARN


def test_a_cluster_that_is_not_there_is_said():
    found = findings(KUBERNETES_URL=f"http://127.0.0.1:{free_port()}", KUBERNETES_TOKEN=SECRET)["Kubernetes"]
    assert found.level is Level.BAD
    assert "connection refused" in found.text


def test_a_kubeconfig_that_cannot_be_used_is_said(tmp_path):
    found = findings(KUBERNETES_CONFIG=tmp_path / "missing")["Kubernetes"]
    assert found.level is Level.BAD
    assert "RECEIVER_KUBERNETES_CONFIG" in found.text

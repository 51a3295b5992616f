"""The client of the API server: where its address and credentials come from, what leaves it, what it tells."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
import yaml

from receiver.config import load
from receiver.errors import DeliveryFailed, SettingsError
from receiver.httpclient import HttpClient
from receiver.kubeclient import Access, KubeClient, access_of, build_kubeclient
from receiver.kubeclient.access import IN_CLUSTER_URL
from tests.fakes.certificate import self_signed
from tests.fakes.kube_objects import deployment, pod
from tests.fakes.kubernetes import TOKEN, Fault, KubernetesServer
from tests.fakes.leaks import told
from tests.fakes.raw_http import RawServer

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


def client(url: str, token: str = TOKEN, **access: Path) -> KubeClient:
    return KubeClient(Access(url, token, **access), HttpClient(read_timeout_seconds=1))  # type: ignore[arg-type] # keywords of Access


def kubeconfig(folder: Path, user: dict[str, object], **cluster: object) -> Path:
    file = folder / "config"
    file.write_text(
        yaml.safe_dump(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://kube.example.org/", **cluster}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return file


def settings(**values: object):
    return load({f"RECEIVER_{name}": str(value) for name, value in values.items()})


def test_lists_are_asked_for_by_labels_and_fields():
    with KubernetesServer() as cluster:
        cluster.put("shop", pod("a"), pod("b", app="other"))
        found = client(cluster.url).get(
            "/api/v1/namespaces/shop/pods", {"labelSelector": "app in (svc-a)", "limit": "5"}
        )
    assert [one["metadata"]["name"] for one in found["items"]] == ["a"]
    assert cluster.journal()[0].query == {"labelSelector": "app in (svc-a)", "limit": "5"}


def test_a_refusal_names_the_object_and_never_the_token():
    wrong = "-".join(["another", "token"])  # in one piece it would stand in the traceback, as source
    with KubernetesServer() as cluster:
        with pytest.raises(DeliveryFailed) as caught:
            client(cluster.url).get(f"{DEPLOYMENTS}/svc-b")
        assert caught.value.reason == (
            'Kubernetes says HTTP 404: NotFound: deployments.apps "svc-b" not found'
        )
        with pytest.raises(DeliveryFailed) as caught:
            client(cluster.url, wrong).get(DEPLOYMENTS)
    assert caught.value.http_status == 401
    assert wrong not in told(caught.value)


def test_a_server_that_repeats_the_token_does_not_get_it_into_an_error():
    def script(conversation):
        conversation.read_request()
        body = f'{{"kind": "Status", "reason": "Forbidden", "message": "no {TOKEN} here"}}'
        conversation.send(f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    with RawServer(script) as server, pytest.raises(DeliveryFailed) as caught:
        client(f"http://127.0.0.1:{server.port}").get(DEPLOYMENTS)
    assert caught.value.reason == "Kubernetes says HTTP 403: Forbidden: no [...] here"
    assert TOKEN not in told(caught.value)


def test_what_is_no_api_server_is_told():
    def script(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with RawServer(script) as server, pytest.raises(DeliveryFailed) as caught:
        client(f"http://127.0.0.1:{server.port}").get(DEPLOYMENTS)
    assert "is not one of a Kubernetes API server" in caught.value.reason
    assert caught.value.permanent
    assert not caught.value.outcome_unknown


def test_a_certificate_of_the_named_authority_is_accepted_and_no_other(tmp_path):
    authority, context = self_signed(tmp_path)
    with KubernetesServer(tls=context) as cluster:
        cluster.put("shop", deployment())
        assert client(cluster.url, authority=authority).get(f"{DEPLOYMENTS}/svc-a")["kind"] == "Deployment"
        with pytest.raises(DeliveryFailed) as caught:
            client(cluster.url).get(DEPLOYMENTS)
    assert caught.value.reason.startswith("TLS: certificate not accepted")
    assert not caught.value.outcome_unknown


def test_our_own_certificate_is_shown_where_the_server_asks_for_one(tmp_path):
    authority, context = self_signed(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority)
    both = tmp_path / "certificate-and-key.pem"
    data = base64.b64encode(both.read_bytes()).decode()
    with KubernetesServer(tls=context) as cluster:
        cluster.put("shop", deployment())
        file = kubeconfig(
            tmp_path,
            {"client-certificate-data": data, "client-key-data": data, "token": TOKEN},
            **{"certificate-authority": authority.name, "server": cluster.url},
        )
        kube = build_kubeclient(settings(KUBERNETES_CONFIG=file))
        assert kube is not None
        assert kube.get(f"{DEPLOYMENTS}/svc-a")["kind"] == "Deployment"
        with pytest.raises(DeliveryFailed):
            client(cluster.url, authority=authority).get(f"{DEPLOYMENTS}/svc-a")


def test_looking_never_leaves_an_unknown_outcome():
    with KubernetesServer() as cluster:
        cluster.fail(Fault(hang=True, method="GET"))
        with pytest.raises(DeliveryFailed) as caught:
            client(cluster.url).get(DEPLOYMENTS)
    assert (caught.value.permanent, caught.value.outcome_unknown) == (False, False)


def test_the_settings_go_before_everything_else(tmp_path):
    found = access_of(
        settings(
            KUBERNETES_URL="https://kube.example.org",
            KUBERNETES_TOKEN="secret",
            KUBERNETES_CONFIG=kubeconfig(tmp_path, {"token": "other"}),
        )
    )
    assert found == Access("https://kube.example.org", "secret")
    assert "secret" not in repr(found)


def test_a_kubeconfig_gives_its_current_context(tmp_path):
    data = base64.b64encode(b"PEM").decode()
    file = kubeconfig(
        tmp_path,
        {"client-certificate": "me.crt", "client-key": "me.key"},
        **{"certificate-authority-data": data},
    )
    found = access_of(settings(KUBERNETES_CONFIG=file))
    assert found is not None
    assert found.url == "https://kube.example.org"
    assert found.certificate == (tmp_path / "me.crt", tmp_path / "me.key")
    assert found.authority is not None
    assert found.authority.read_bytes() == b"PEM"
    assert found.authority.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"exec": {"command": "aws"}}, {}, "from another program"),
        ({}, {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify is not supported"),
        ({}, {"server": "kube.example.org"}, "has no server"),
        ({"client-key-data": "%%"}, {}, "client-key-data is not base64"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told_at_start(tmp_path, user, cluster, words):
    with pytest.raises(SettingsError, match=words):
        access_of(settings(KUBERNETES_CONFIG=kubeconfig(tmp_path, user, **cluster)))


@pytest.mark.parametrize("text", ["- 1", "{", "current-context: there"])
def test_a_file_that_is_no_kubeconfig_is_told_at_start(tmp_path, text):
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(SettingsError, match="RECEIVER_KUBERNETES_CONFIG"):
        access_of(settings(KUBERNETES_CONFIG=file))


def test_in_a_pod_the_token_is_read_anew_for_each_request(tmp_path):
    (tmp_path / "token").write_text("first\n")
    found = access_of(settings(), tmp_path)
    assert found is not None
    assert (found.url, found.authority, found.bearer()) == (IN_CLUSTER_URL, tmp_path / "ca.crt", "first")
    (tmp_path / "token").write_text("second\n")
    assert found.bearer() == "second"
    (tmp_path / "token").unlink()
    with pytest.raises(DeliveryFailed, match="cannot be read"):
        found.bearer()


def test_without_any_of_them_there_is_no_client(tmp_path):
    assert access_of(settings(), tmp_path) is None
    assert build_kubeclient(settings()) is None

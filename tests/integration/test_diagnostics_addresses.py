"""Where diagnoses look, and where they do not, whatever an alert says (SSRF)."""

from __future__ import annotations

import socket

import pytest

from receiver.diagnostics.inside import InsideGuard
from receiver.domain.dependency_address import split_web
from receiver.domain.diagnosis import DependencyKind
from receiver.errors import DeliveryFailed
from receiver.httpclient.address_guard import AddressRefused
from tests.builders.dependencies import look, why
from tests.fakes.ports import free_port


@pytest.fixture
def closed_port():
    return free_port()


@pytest.fixture
def numbers_only(monkeypatch):
    """Hosts are numbers, in any of the forms that the system's resolver takes; nothing is looked up."""

    def lookup(host, port, *_):
        try:
            address = socket.inet_ntoa(socket.inet_aton(host.replace("localhost", "127.0.0.1")))
        except OSError:
            address = host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.mark.parametrize("kind", [kind for kind in DependencyKind if kind != "http"])
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "224.0.0.1",
    ],
)
def test_no_dependency_is_where_clouds_keep_their_credentials(kind, host, numbers_only):
    assert "no diagnosis looks at an address of this kind" in why(kind, f"{host}:80")
    assert "no diagnosis looks at an address of this kind" in why(
        "http", f"{host}:80", path="/latest/meta-data"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "[::1]"])
def test_a_host_that_an_alert_names_is_never_this_machine(host, closed_port, numbers_only):
    reason = why("tcp", f"{{{{ labels.host }}}}:{closed_port}", labels={"host": host})
    assert "(loopback)" in reason
    assert host not in reason


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a/b",
        "user@host",
        "host:1:2",
        "a\nb",
        "",
        "host#",
        "[::1",
        "169.254.169.254/latest?x=",
        "a" * 300,
    ],
)
def test_a_label_that_is_no_host_is_refused_and_not_repeated(host):
    labels = {"host": host, "other": "x"}
    reason = why("tcp", "{{ labels.host | default('') }}:80", labels=labels)
    assert "cannot be used" in reason
    assert not host or host not in reason


def test_private_networks_may_be_looked_at():
    for address in (
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "fd12::1",
        "8.8.8.8",
        "2606:4700::1",
    ):
        assert InsideGuard(is_ours=False).refusal(address) is None
    assert InsideGuard(is_ours=True).refusal("127.0.0.1") is None
    assert InsideGuard(is_ours=False).refusal("127.0.0.1") == "loopback"


def test_a_name_that_leads_to_metadata_is_refused_by_what_it_leads_to():
    class Lying(InsideGuard):
        def __init__(self):
            super().__init__(is_ours=True)
            self._lookup = lambda *_: [(2, 1, 6, "", ("169.254.169.254", 80))]

    with pytest.raises(AddressRefused) as refused:
        Lying().permitted("db.example.org", 80)
    assert "metadata" in refused.value.reason


@pytest.mark.parametrize("value", ["../admin", "a b", "x\r\nHost: other", "ä", "a#b"])
def test_a_label_in_a_path_stays_a_part_of_the_path(value):
    with pytest.raises(DeliveryFailed, match="cannot be used") as failed:
        look("http", "127.0.0.1:1", path="/shops/{{ labels.shop }}/health", labels={"shop": value})
    assert value not in failed.value.reason


def test_a_label_in_the_host_brings_no_path_and_no_password_along():
    for value in ("evil.example/x?", "u:p@evil.example", "evil.example#"):
        with pytest.raises(DeliveryFailed, match="cannot be used"):
            look(
                "http",
                split_web("http://{{ labels.host }}:80/health").place,
                path="/health",
                labels={"host": value},
            )

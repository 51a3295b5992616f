"""A user-given address reaches what is public or permitted, and nothing else; what was checked is what is asked."""

from __future__ import annotations

import _socket
import ipaddress
import socket

import pytest
from cryptography import x509

from receiver.errors import DeliveryFailed
from receiver.httpclient import AddressGuard, HttpClient
from receiver.httpclient.address_guard import AddressRefused
from tests.fakes.certificate import self_signed
from tests.fakes.leaks import told
from tests.fakes.ports import free_port
from tests.fakes.raw_http import Conversation, RawServer
from tests.fakes.slack import Answer, SlackServer

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


def resolving(*addresses: str):
    """A resolver that answers each look-up with the next of these lists of addresses, and counts them."""
    calls: list[str] = []

    def lookup(host, port, *args):
        calls.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return lookup, calls


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254", "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "192.88.99.1",
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "4000::1", "fc00::1",
        "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(address):
    assert AddressGuard().refusal(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "1.1.1.1", "2606:4700::1111", "2a00::1"]
)
def test_what_is_public_is_permitted(address):
    assert AddressGuard().refusal(address) is None


def test_a_permitted_network_permits_nothing_else():
    guard = AddressGuard([ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/64")])
    assert guard.refusal("10.1.2.3") is guard.refusal("fd00::1") is None
    assert guard.refusal("10.2.0.1") == "private"
    assert guard.refusal("::ffff:10.1.2.3") == "IPv4-mapped"
    assert guard.refusal("fd00:0:0:1::1") == "private"


def test_of_several_addresses_only_the_permitted_ones_are_left():
    lookup, _ = resolving("10.0.0.1", "8.8.8.8", "8.8.8.8", "127.0.0.1")
    assert AddressGuard(LOOPBACK, lookup=lookup).permitted("x.example", 80) == ["8.8.8.8", "127.0.0.1"]


def test_a_name_that_leads_to_none_is_refused_with_the_setting_that_could_permit_it():
    lookup, _ = resolving("169.254.169.254")
    with pytest.raises(AddressRefused) as caught:
        AddressGuard(lookup=lookup).permitted("metadata.example", 80)
    assert "link-local" in caught.value.reason
    assert "RECEIVER_WEBHOOK_OUT_ALLOW" in caught.value.reason
    assert "169.254" not in caught.value.reason


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"])
def test_other_ways_to_write_an_address_are_seen_through(host):
    # The system's own resolver, which asks no server about these.
    with pytest.raises(AddressRefused) as caught:
        AddressGuard(lookup=_socket.getaddrinfo).permitted(host, 80)
    assert "loopback" in caught.value.reason


def test_the_address_that_was_checked_is_the_one_connected_to(slack: SlackServer):
    port = slack.base_url.rpartition(":")[2]
    lookup, calls = resolving("10.0.0.1", "127.0.0.1")
    client = HttpClient().guarded(AddressGuard(LOOPBACK, lookup=lookup))
    assert client.post_json(f"http://hook.example:{port}/x", {}).status == 200
    assert calls == ["hook.example"]  # a second look-up could say something else
    assert slack.messages()[0].headers["Host"] == f"hook.example:{port}"


@pytest.mark.parametrize(("name", "is_accepted"), [("hook.example", True), ("127.0.0.1", False)])
def test_tls_checks_the_name_and_not_the_address_it_led_to(tmp_path, monkeypatch, name, is_accepted):
    certificate, tls = self_signed(tmp_path, [x509.DNSName("hook.example")])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    lookup, _ = resolving("127.0.0.1")
    client = HttpClient().guarded(AddressGuard(LOOPBACK, lookup=lookup))

    def answer(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with RawServer(answer, tls) as server:
        url = f"https://{name}:{server.port}/x"
        if is_accepted:
            assert client.post_json(url, {}).status == 204
        else:
            with pytest.raises(DeliveryFailed, match="certificate not accepted"):
                client.post_json(url, {})


def test_the_next_address_is_tried_when_one_does_not_answer(slack: SlackServer):
    port = slack.base_url.rpartition(":")[2]
    lookup, _ = resolving("127.9.9.9", "127.0.0.1")  # nothing listens on the first
    client = HttpClient().guarded(AddressGuard(LOOPBACK, lookup=lookup))
    assert client.post_json(f"http://hook.example:{port}/x", {}).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_refused_address_gets_no_connection_and_the_error_does_not_tell_it(slack: SlackServer, host):
    url = slack.base_url.replace("127.0.0.1", host) + "/admin"
    with pytest.raises(DeliveryFailed) as caught:
        HttpClient().guarded(AddressGuard()).post_json(url, {})
    assert (caught.value.permanent, caught.value.outcome_unknown) == (True, False)
    assert "not public (loopback)" in caught.value.reason
    assert url not in told(caught.value)
    assert slack.messages() == []


def test_a_permitted_service_that_is_away_is_transient():
    client = HttpClient().guarded(AddressGuard(LOOPBACK))
    with pytest.raises(DeliveryFailed) as caught:
        client.post_json(f"http://127.0.0.1:{free_port()}/x", {})
    assert (caught.value.reason, caught.value.permanent) == ("connection refused", False)


def test_an_unknown_name_is_transient():
    def nobody(*args):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(DeliveryFailed) as caught:
        HttpClient().guarded(AddressGuard(lookup=nobody)).post_json("http://hook.invalid/x", {})
    assert "could not be resolved" in caught.value.reason
    assert not caught.value.permanent


def test_a_redirect_does_not_lead_past_the_guard(slack: SlackServer):
    slack.answer(Answer(307, "", {"Location": "http://169.254.169.254/latest/meta-data"}))
    with pytest.raises(DeliveryFailed) as caught:
        HttpClient().guarded(AddressGuard(LOOPBACK)).post_json(slack.url, {})
    assert caught.value.permanent
    assert len(slack.messages()) == 1


def test_a_proxy_of_the_environment_does_not_lead_past_the_guard(slack: SlackServer, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, slack.base_url)
    lookup, calls = resolving("10.0.0.1")
    client = HttpClient().guarded(AddressGuard(lookup=lookup))
    with pytest.raises(DeliveryFailed) as caught:
        client.post_json("http://hook.example/x", {})
    assert "private" in caught.value.reason
    assert calls == ["hook.example"]
    assert slack.messages() == []


def test_the_client_it_was_made_from_stays_unguarded(slack: SlackServer):
    client = HttpClient()
    client.guarded(AddressGuard())
    assert client.post_json(slack.url, {}).status == 200

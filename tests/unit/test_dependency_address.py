"""Where a dependency is: no value of an alert gets further than the part of an address in which it stands."""

from __future__ import annotations

import pytest

from receiver.domain.dependency_address import Address, WebAddress, parse_address, parse_path, split_web


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("db.shop:3306", "db.shop", 3306),
        ("10.0.0.1:80", "10.0.0.1", 80),
        ("[fd00::1]:5432", "fd00::1", 5432),
        ("cache_1.shop.svc.cluster.local.:6379", "cache_1.shop.svc.cluster.local.", 6379),
    ],
)
def test_hosts_and_ports_are_told_apart(text, host, port):
    assert parse_address(text) == Address(host, port)
    assert str(parse_address(text)) == text


def test_a_port_can_be_left_out_where_there_is_a_usual_one():
    assert parse_address("api.shop", 443) == Address("api.shop", 443)
    assert parse_address("api.shop:8443", 443) == Address("api.shop", 8443)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "db",
        "db:",
        ":3306",
        "db:0",
        "db:65536",
        "db:3306x",
        "db:３３０６",
        "user@db:3306",
        "db:3306/path",
        "db 3306",
        "db\n:3306",
        "db:3306\n",
        "-db:3306",
        "db-:3306",
        "d..b:3306",
        "db#:3306",
        "db\0:3306",
        "dß:3306",
        "fd00::1:3306",
        "[fe80::1%eth0]:80",
        "[db]:3306",
        "a" * 254 + ":1",
        "{{ labels.host }}:80",
    ],
)
def test_what_is_no_host_and_port_is_refused(text):
    with pytest.raises(ValueError, match=r"^must "):
        parse_address(text)


def test_a_refused_address_is_not_repeated():
    with pytest.raises(ValueError, match=r"^must ") as refused:
        parse_address("user:hunter2@db:3306")
    assert "hunter2" not in str(refused.value)


def test_a_web_address_is_split_where_the_file_says_so_whatever_the_values_are():
    assert split_web("https://{{ labels.host }}:{{ labels.port }}/a/{{ labels['x/y'] }}?b=1") == WebAddress(
        True, "{{ labels.host }}:{{ labels.port }}", "/a/{{ labels['x/y'] }}?b=1"
    )
    assert split_web("http://{{ labels['a/b'] }}/c") == WebAddress(False, "{{ labels['a/b'] }}", "/c")
    assert split_web("http://api.shop") == WebAddress(False, "api.shop", "/")


@pytest.mark.parametrize(
    "text",
    ["gopher://x/", "//x/", "x:80", "http://", "http://u:p@x/", "http://x?y", "http://x/#f", "http://{x"],
)
def test_what_is_no_plain_web_address_is_refused(text):
    with pytest.raises(ValueError, match=r"^must "):
        split_web(text)


@pytest.mark.parametrize(
    "path", ["", "x", "/ ", "/a\r\nHost: b", "/../x", "/a/..", "/ä", "/" + "a" * 501, '/"', "/\0"]
)
def test_a_path_that_is_more_than_a_path_is_refused(path):
    with pytest.raises(ValueError, match=r"^must "):
        parse_path(path)

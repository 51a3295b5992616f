"""Links for people: only plain absolute http(s) addresses, and a silence link for Alertmanager."""

from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from receiver.domain.alert import Alert
from receiver.sources.base import FieldMapping
from receiver.sources.links import is_link, links_of
from receiver.sources.registry import parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def links(alert, **envelope):
    (parsed,) = parse_body(bodies.alertmanager(alert, **envelope), FieldMapping(), RECEIVED_AT).alerts
    assert isinstance(parsed, Alert)
    return links_of(parsed)


@pytest.mark.parametrize(
    "address",
    [
        "http://a",
        "https://runbooks.example.internal/5xx?a=b#c",
        "HTTPS://Example.com/",
        "http://[::1]:9093/#/alerts",
        "http://prom/graph?g0.expr=up+%3D%3D+0",
        "https://example.com/ünï",
        "http://a/" + "x" * 1_991,
    ],
)
def test_a_plain_web_address_is_a_link(address):
    assert is_link(address)


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "/alerts",
        "example.com",
        "//example.com/",
        "http:///path",
        "http://",
        "http://[::1",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "mailto:a@example.com",
        " https://example.com",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://example.com/\x00",
        "java\nscript:alert(1)",
        "https://example.com/\u202e",
        "https://example.com/\u2028",
        "https://example.com/\u200b",
        "http://a/" + "x" * 1_992,
    ],
)
def test_all_else_is_none(address):
    assert not is_link(address)


def test_links_that_are_none_are_left_out():
    alert = bodies.alert(generatorURL="javascript:alert(1)", annotations={"runbook_url": "see the wiki"})
    assert links(alert, externalURL="not an address") == {}


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"runbook_url": "https://r/1", "runbook": "https://r/2"}, {"runbook": "https://r/1"}),
        ({"runbook_url": "see the wiki", "runbook": "https://r/2"}, {"runbook": "https://r/2"}),
        ({"dashboard_url": "https://d/1"}, {"dashboard": "https://d/1"}),
    ],
)
def test_annotations_may_hold_links(annotations, expected):
    assert links(bodies.alert(annotations=annotations, generatorURL=""), externalURL=None) == expected


@pytest.mark.parametrize("base", ["http://am:9093", "http://am:9093/", "http://am:9093/sub/"])
def test_a_silence_for_alertmanager_is_filled_in_with_the_alerts_labels(base):
    link = links(
        bodies.alert(labels={"job": "node", "alertname": 'Disk "full" \\ 90%', "a.b": "&#\nü"}),
        externalURL=base,
    )["silence"]
    page, encoded = link.split("?filter=")
    assert page == base.rstrip("/") + "/#/silences/new"
    assert not set(encoded) & set('{}="& #\\\n,')
    assert unquote(encoded) == '{"a.b"="&#\\nü", alertname="Disk \\"full\\" \\\\ 90%", job="node"}'


def test_a_silence_link_that_would_be_too_long_is_left_out():
    assert "silence" not in links(bodies.alert(labels={"alertname": "A", "long": "x" * 2_000}))

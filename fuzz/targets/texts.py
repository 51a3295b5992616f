"""Texts from alerts on their way out: they never end the string, the markup or the header they stand in."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import re2

from fuzz.pieces import texts
from receiver.domain.notification import Notification
from receiver.domain.rules.fillers import query_value, regex
from receiver.domain.rules.render import render_query
from receiver.notifiers import email_message, pagerduty, slack_blocks, slack_text
from receiver.notifiers.samples import SAMPLES
from receiver.remediation.kubernetes_action import FOLDERS
from receiver.remediation.names import FLAWS, flaws_of

_NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_STRING_UNIT = re.compile(r"\\(?:[abfnrtv\\'\"]|x[0-9a-f]{2}|u[0-9a-f]{4}|[0-7]{3})|[^\\\"\n]", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}
_SLACK_UNIT = re.compile(
    r"&(?:amp|lt|gt);|<https?://[^<>|\s]+\|[^<>|]+>|<!date\^\d+\^[^<>|^]+\|[^<>|]+>|[^&<>]"
)
_SAFE_PATH = re.compile(r"/[a-z0-9/.-]+")


def promql(data: bytes) -> None:
    """A value in a query's string is that value to Prometheus, and one in a pattern matches itself and nothing else."""
    value, other = texts(data, 2)
    assert _unquoted(query_value(value)) == value
    pattern = _unquoted(regex(value))
    if "\0" not in value and len(value) < 500:
        # As Prometheus compiles it: https://github.com/prometheus/prometheus/blob/main/model/labels/regexp.go
        compiled = re2.compile(rf"^(?s:{pattern})\z")
        assert compiled.search(value)
        assert bool(compiled.search(other)) == (other == value)
    if value:
        query = render_query('up{a="{{ labels.x }}"} > 0', {"labels": {"x": value}})
        inner = query.removeprefix('up{a="').removesuffix('"} > 0')
        assert _unquoted(inner) == value


def slack(data: bytes) -> None:
    """Escaped text pings nobody, links nowhere, and fits."""
    limit = 3 + (data[0] if data else 0)
    text = data[1:].decode("utf-8", "replace")
    for shown in (
        slack_text.lines(text, limit),
        slack_text.line(text, limit),
        slack_text.code(text, limit),
        slack_text.escape(slack_text.shortened(text, limit)),
    ):
        assert slack_text.size(shown) <= limit
        assert not {"<", ">"} & set(shown)
        assert len(re.findall("&", shown)) == len(re.findall("&(?:amp|lt|gt);", shown))
    assert slack_text.unescape(slack_text.escape(text)) == text
    found = slack_text.link(text, "Open")
    assert found is None or re.fullmatch(r"<https?://[^<>|\s]+\|Open>", found)


def messages(data: bytes) -> None:
    """A message in every channel's form: whole, within limits, and saying nothing but what it says."""
    title, summary, service, detail, url = texts(data[1:], 5)
    sample = SAMPLES[sum(data[:1]) % len(SAMPLES)]
    shown = replace(
        sample,
        title=title[:255],
        summary=summary[:2000],
        service=service[:190],
        cluster=detail[:190],
        details=(detail,),
        diagnostics=(summary,),
        changes=(title,),
        links={"runbook": url},
        acknowledged_by=service,
    )
    _check_slack(slack_blocks.payload(shown))
    _check_mail(shown)
    if sample.template in pagerduty._ACTIONS:
        event = pagerduty.event(shown)
        json.dumps(event).encode()
        assert 0 < len(event["payload"]["summary"]) <= 1024


def names(data: bytes) -> None:
    """What passes as a name in Kubernetes cannot leave its place in the path."""
    for text in texts(data, 3):
        for kind in FLAWS:
            if text and not flaws_of({kind: text}):
                for folder in FOLDERS.values():
                    path = folder.format(namespace=text) + text
                    assert _SAFE_PATH.fullmatch(path) and ".." not in path and "//" not in path, path


def _unquoted(inner: str) -> str:
    """What Go reads in a double-quoted string that holds `inner`; AssertionError where it would not end there."""
    found, at = [], 0
    while at < len(inner):
        unit = _STRING_UNIT.match(inner, at)
        assert unit, f"the string ends or breaks at {at}: {inner!r}"
        text = unit[0]
        if text[0] == "\\":
            text = chr(int(text[2:], 16)) if text[1] == "x" else _ESCAPES[text[1]]
        found.append(text)
        at = unit.end()
    return "".join(found)


def _check_slack(payload: dict[str, Any]) -> None:
    assert len(payload["blocks"]) <= 50
    for one in _text_objects(payload):
        if one["type"] == "mrkdwn":
            assert _SLACK_UNIT.sub("", one["text"]) == "", one["text"]
        assert 0 < slack_text.size(one["text"]) <= 3000
    assert not re.search("<[!@#]", payload["text"])
    json.dumps(payload).encode()


def _text_objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield value
        for inner in value.values():
            yield from _text_objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _text_objects(inner)


def _check_mail(shown: Notification) -> None:
    mail = email_message.compose(shown, "receiver@example.org", ["ann@example.org"], _NOW)
    read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert sorted(read.keys()) == sorted(mail.keys())
    assert read["To"] == "ann@example.org"
    html = read.get_body(("html",))
    assert html is not None
    _Page().check(html.get_content())


class _Page(HTMLParser):
    """Only elements that the template has, and links that are http(s)."""

    def check(self, text: str) -> None:
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "iframe", "object", "form", "svg", "base", "link"), tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("href", "src"):
                assert (value or "").startswith(("http://", "https://")), value

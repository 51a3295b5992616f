"""Whatever bytes arrive: an answer or UnintelligibleBody, never anything else."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from receiver.domain.alert import Alert, ParsedBody, RejectedAlert
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.links import links_of
from receiver.sources.registry import parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

texts = st.text(st.characters(), max_size=12)  # halves of surrogate pairs included
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(2**63), 1e308])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
times = st.sampled_from(
    [bodies.STARTS_AT, bodies.NO_TIME, "9999-12-31T23:59:59Z", "2026-02-30T00:00:00+25:00"]
)
alert_fields = {
    "status": st.sampled_from(["firing", "resolved", "x"]) | values,
    "labels": st.dictionaries(
        st.sampled_from(["alertname", "severity", "rule_uid", "rulename"]) | texts, values, max_size=4
    )
    | values,
    "annotations": st.dictionaries(texts, values, max_size=3) | values,
    "startsAt": times | values,
    "endsAt": times | values,
    "generatorURL": st.sampled_from(["", "https://g/alerting/grafana/u/view", "http://[x"]) | values,
    "silenceURL": st.sampled_from(["https://[/?matcher=__alert_rule_uid__=x"]) | values,
    "fingerprint": values,
    "ruleUID": values,
    "values": values,
}
alerts = st.fixed_dictionaries({}, optional=alert_fields)
envelopes = st.fixed_dictionaries(
    {"version": st.sampled_from(["1", "4", 1, 4])},
    optional={
        "alerts": st.lists(alerts | values, max_size=4) | values,
        "groupKey": values,
        "groupLabels": values,
        "externalURL": values,
        "truncatedAlerts": values,
        "state": values,
    },
)
legacy_bodies = st.fixed_dictionaries(
    {"ruleId": values, "state": st.sampled_from(["alerting", "ok"]) | values},
    optional={"ruleName": values, "tags": values, "orgId": values, "message": values, "ruleUrl": values},
)


def parse_or_refuse(body):
    try:
        parsed = parse_body(body, FieldMapping(), RECEIVED_AT)
    except UnintelligibleBody:
        return None
    assert isinstance(parsed, ParsedBody)
    for alert in parsed.alerts:
        check(alert)
    return parsed


def check(alert):
    """What holds for everything that comes out, and what storage relies on."""
    assert isinstance(alert, (Alert, RejectedAlert))
    alert.raw.encode()
    if isinstance(alert, RejectedAlert):
        assert alert.reason
        return
    assert len(alert.incident_key) == 16
    assert 0 < len(alert.fingerprint) <= 64
    assert 0 < len(alert.title) <= 255
    assert len(alert.summary) <= 2_000
    for moment in (alert.starts_at, alert.ends_at):
        assert moment is None or (moment.tzinfo is UTC and moment.year >= 2000)
    for text in (*alert.labels.keys(), *alert.labels.values(), *alert.annotations.values(), alert.rule_uid):
        text.encode()
    links_of(alert)


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf{")
@example(b'{"version":"4","alerts":[{"\\')
def test_arbitrary_bytes_never_raise_anything_else(body):
    assert parse_or_refuse(body) is None


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 40))
def test_a_good_body_with_arbitrary_bytes_in_its_midst_never_raises_anything_else(bytes_, at, over):
    good = bodies.grafana(bodies.alert(), bodies.alert(values={"A": 1.5}))
    parse_or_refuse(good[:at] + bytes_ + good[at + over :])


@given(values | envelopes | legacy_bodies)
def test_arbitrary_json_never_raises_anything_else(value):
    parse_or_refuse(json.dumps(value).encode())  # writes NaN, Infinity and half surrogate pairs as they are


@given(values | envelopes)
def test_text_that_is_not_escaped_never_raises_anything_else(value):
    parse_or_refuse(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(st.lists(alerts | values, min_size=1, max_size=4), st.integers(0, 3))
def test_a_good_alert_is_read_whatever_its_neighbours_are(neighbours, at):
    good = bodies.alert(labels={"alertname": "Good"})
    at = min(at, len(neighbours))
    everyone = [*neighbours[:at], good, *neighbours[at:]]
    body = json.dumps({"version": "4", "alerts": everyone}).encode()
    parsed = parse_or_refuse(body)
    assert len(parsed.alerts) == len(everyone)
    assert isinstance(parsed.alerts[at], Alert)
    assert parsed.alerts[at].alertname == "Good"
    assert json.loads(parsed.alerts[at].raw) == good


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_a_body_that_was_cut_off_is_unintelligible(cut):
    body = bodies.grafana(bodies.alert())
    assert cut < len(body)
    assert parse_or_refuse(body[:cut]) is None

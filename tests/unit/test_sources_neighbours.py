"""A bad alert never takes its neighbours down: it comes out rejected, with the reason, where it stood."""

from datetime import UTC, datetime

import pytest

from receiver.domain.alert import Alert, RejectedAlert
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GOOD = b'{"status":"firing","labels":{"alertname":"Good"}}'
LABELS = b'"labels":{"alertname":"Bad"}'


def parse(*alerts):
    body = b'{"version":"4","alerts":[' + b" , ".join(alerts) + b'],"groupKey":"k","truncatedAlerts":2}'
    return parse_body(body, FieldMapping(), RECEIVED_AT)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"7", "the alert is a number, expected an object"),
        (b"null", "the alert is null, expected an object"),
        (b'"firing"', "the alert is text, expected an object"),
        (b"[1,[2]]", "the alert is a list, expected an object"),
        (b"{}", "status is missing, expected firing or resolved"),
        (b"{" + LABELS + b"}", "status is missing, expected firing or resolved"),
        (b'{"status":null,' + LABELS + b"}", "status is missing, expected firing or resolved"),
        (b'{"status":[],' + LABELS + b"}", "status is missing, expected firing or resolved"),
        (b'{"status":"",' + LABELS + b"}", "status is one that is not known, expected firing or resolved"),
        (
            b'{"status":"suppressed",' + LABELS + b"}",
            "status is one that is not known, expected firing or resolved",
        ),
        (b'{"status":1,' + LABELS + b"}", "status is one that is not known, expected firing or resolved"),
        (b'{"status":"firing"}', "labels is missing, expected an object"),
        (b'{"status":"firing","labels":null}', "labels is missing, expected an object"),
        (b'{"status":"firing","labels":["a"]}', "labels is a list, expected an object"),
        (b'{"status":"firing","labels":"a=b"}', "labels is text, expected an object"),
        (b'{"status":"firing","labels":{}}', "labels is empty, expected at least one label"),
        (b'{"status":"firing","labels":{},"fingerprint":7}', "labels is empty, expected at least one label"),
        (
            b'{"status":"firing","labels":{"a":{"b":1}}}',
            "labels has a value that is an object, expected text",
        ),
        (b'{"status":"firing","labels":{"a":[1]}}', "labels has a value that is a list, expected text"),
        (
            b'{"status":"firing",' + LABELS + b',"values":{"A":NaN}}',
            "values holds NaN or Infinity, which JSON does not have",
        ),
        (
            b'{"status":"firing",' + LABELS + b',"values":{"A":-Infinity}}',
            "values holds NaN or Infinity, which JSON does not have",
        ),
        (
            b'{"status":"firing",' + LABELS + b',"values":{"A":NaN,"B":' + b"9" * 5_000 + b"}}",
            "values holds NaN or Infinity, which JSON does not have",
        ),
        (b'{"status":"firing","labels":{"a":"\\ud83d"}}', "labels holds half of a surrogate pair"),
        (b'{"status":"firing","labels":{"a":"\\udd25 \\ud83d"}}', "labels holds half of a surrogate pair"),
        (
            b'{"status":"firing",' + LABELS + b',"annotations":{"s":"\\ud83dx"}}',
            "annotations holds half of a surrogate pair",
        ),
        (b'{"status":"firing",' + LABELS + b',"mine":"\\ud83d"}', "a field holds half of a surrogate pair"),
        (b'{"status":"firing",' + LABELS + b',"\\ud83d":1}', "a field, or its name, cannot be read"),
        (b'{"status":"firing","labels":{"a":"\xff"}}', "not UTF-8 at its byte 34"),
        (b'{"status":"firing",' + LABELS + b',"valueString":"\xed\xa0\x80"}', "not UTF-8 at its byte 63"),
        (
            b'{"status":"firing",' + LABELS + b',"values":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            "values is nested too deeply",
        ),
    ],
)
def test_one_bad_alert_is_rejected_with_its_reason_and_its_neighbours_are_read(bad, reason):
    first, middle, last = parse(GOOD, bad, GOOD).alerts
    assert isinstance(first, Alert)
    assert isinstance(last, Alert)
    assert first == last
    assert first.alertname == "Good"
    assert isinstance(middle, RejectedAlert)
    assert middle.reason == reason
    assert middle.raw == bad.decode(errors="replace")


def test_a_body_with_a_bad_alert_keeps_what_holds_for_all_of_it():
    parsed = parse(GOOD, b'{"values":NaN}')
    assert parsed.source == "alertmanager"
    assert parsed.truncated == 2


def test_a_body_of_bad_alerts_only_has_rejected_alerts_only():
    assert [type(alert) for alert in parse(b"NaN", b"7").alerts] == [RejectedAlert, RejectedAlert]


def test_the_reason_never_quotes_the_alert():
    for bad in (
        b'{"s3cret":1}',
        b'{"status":"s3cret","labels":{"a":"b"}}',
        b'{"status":"firing","labels":{"s3cret":["s3cret"]}}',
        b'{"status":"firing","labels":{"s3cret":"\\ud83d"}}',
        b'{"status":"firing","labels":{"a":"b"},"s3cret":NaN}',
    ):
        (rejected,) = parse(bad).alerts
        assert "s3cret" not in rejected.reason


def test_the_slices_are_exact_also_where_the_body_is_read_piece_by_piece():
    spaced = b'{ "status" : "firing" ,\n "labels":{"a":"]},{\\"","b":"\\\\"} }'
    first, _, last = parse(spaced, b'{"v":NaN}', GOOD).alerts
    assert first.raw == spaced.decode()
    assert first.labels == {"a": ']},{"', "b": "\\"}
    assert last.raw == GOOD.decode()


def test_both_ways_of_reading_give_the_same_alerts():
    alerts = [
        bodies.alert(),
        bodies.alert(status="resolved", labels={"alertname": "Ünïcode 🔥", "x": 'a\\b"c'}),
    ]
    body = bodies.alertmanager(*alerts)
    broken_outside_the_alerts = body.replace(
        b'"truncatedAlerts": 0', b'"truncatedAlerts": 0, "message": "\\ud83d"'
    )
    assert broken_outside_the_alerts != body
    assert parse_body(broken_outside_the_alerts, FieldMapping(), RECEIVED_AT) == parse_body(
        body, FieldMapping(), RECEIVED_AT
    )


def test_scalars_are_taken_as_label_text_as_written():
    labels = b'{"alertname":7,"a":1.50,"b":true,"c":false,"d":null,"e":12345678901234567890123,"f":1e400}'
    (alert,) = parse(b'{"status":"firing","labels":' + labels + b"}").alerts
    assert alert.labels == {
        "alertname": "7",
        "a": "1.50",
        "b": "true",
        "c": "false",
        "d": "",
        "e": "12345678901234567890123",
        "f": "1e400",
    }
    assert alert.alertname == "7"


def test_odd_annotations_cost_no_alert():
    for annotations, expected in (
        (b"null", {}),
        (b"[1]", {}),
        (b'{"summary":7,"more":{"a":[1, 2]}}', {"summary": "7", "more": '{"a":[1, 2]}'}),
    ):
        (alert,) = parse(b'{"status":"firing",' + LABELS + b',"annotations":' + annotations + b"}").alerts
        assert alert.annotations == expected


def test_odd_optional_fields_cost_no_alert():
    (alert,) = parse(
        b'{"status":"firing",'
        + LABELS
        + b',"startsAt":7,"endsAt":{},"generatorURL":[],"ruleUID":{},"fingerprint":null}'
    ).alerts
    assert (alert.starts_at, alert.ends_at, alert.urls) == (None, None, {})
    assert alert.rule_uid == "am:Bad"
    assert alert.fingerprint


def test_huge_and_strange_values_in_unused_fields_do_not_matter():
    (alert,) = parse(
        b'{"status":"firing",'
        + LABELS
        + b',"values":{"A":1e999,"B":'
        + b"9" * 5_000
        + b'},"enrichments":[[{}]]}'
    ).alerts
    assert isinstance(alert, Alert)

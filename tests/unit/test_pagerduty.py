"""What PagerDuty gets, and what its answers mean: https://developer.pagerduty.com/docs/send-alert-event."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.notification import Template
from receiver.httpclient import Response, encode
from receiver.notifiers.pagerduty import PagerDuty, event, verdict
from tests.builders.notifications import BY_TEMPLATE, FIRING, HOSTILE, HUGE, NOW

TEXT = st.text(st.characters())


def test_an_opened_incident_is_an_event_that_says_all():
    assert event(FIRING) == {
        "event_action": "trigger",
        "dedup_key": "INC-20261121030000-0123456789abcdef",
        "payload": {
            "summary": "[P0] INC-4711 Größe of 日本 is over 9000 🔥",
            "source": "prod-eu / shop / checkout",
            "severity": "critical",
            "timestamp": "2026-11-21T03:00:00.000Z",
            "component": "checkout",
            "group": "prod-eu",
            "custom_details": {
                "Severity": "critical · P0",
                "Status": "active",
                "Service": "checkout",
                "Cluster": "prod-eu",
                "Namespace": "shop",
                "Alerts": "3 received, 3 firing",
                "Opened": "2026-11-21 03:00 UTC",
                "Last alert": "2026-11-21 03:12 UTC",
                "Incident": "INC-20261121030000-0123456789abcdef",
                "Summary": "It is.",
            },
        },
        "client": "Alert receiver",
        "client_url": "https://receiver.example/incidents/4711",
        "links": [
            {"href": "https://receiver.example/incidents/4711", "text": "Open INC-4711"},
            {"href": "https://wiki.example/x", "text": "Runbook"},
        ],
    }


def test_all_messages_of_an_incident_are_about_one_alert():
    told = PagerDuty.templates | {Template.TEST}
    events = {template: event(BY_TEMPLATE[template]) for template in Template if template in told}
    assert {template.value: found["event_action"] for template, found in events.items()} == {
        "opened": "trigger",
        "updated": "trigger",
        "acknowledged": "acknowledge",
        "resolved": "resolve",
        "test": "trigger",
        "escalated": "trigger",
    }
    test = events.pop(Template.TEST)
    assert {found["dedup_key"] for found in events.values()} == {FIRING.incident_id}
    assert test["dedup_key"] == "alert-receiver-test"
    assert "please resolve it" in test["payload"]["summary"]


@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info"])
def test_the_severity_is_pagerdutys_own(severity):
    assert event(replace(FIRING, severity=severity))["payload"]["severity"] == severity


def test_a_severity_that_pagerduty_does_not_know_is_a_warning():
    assert event(replace(FIRING, severity="sev-9"))["payload"]["severity"] == "warning"


def test_an_incident_without_a_place_has_a_source_all_the_same():
    payload = event(replace(FIRING, service="", cluster="", namespace=""))["payload"]
    assert payload["source"] == "unknown"
    assert "component" not in payload
    assert "group" not in payload


@pytest.mark.parametrize("message", [HOSTILE, HUGE])
@pytest.mark.parametrize("template", sorted(PagerDuty.templates | {Template.TEST}))
def test_the_limits_are_kept_and_links_are_web_links(message, template):
    found = event(replace(message, template=template))
    assert 1 <= len(found["payload"]["summary"]) <= 1024
    assert len(found["dedup_key"]) <= 255
    assert len(encode(found)) < 512_000 / 10
    assert all(link["href"].startswith("https://") for link in found["links"])


@given(title=TEXT, priority=TEXT, service=TEXT)
def test_any_text_keeps_the_limits(title, priority, service):
    found = event(replace(FIRING, title=title, priority=priority, service=service))
    assert 1 <= len(found["payload"]["summary"]) <= 1024
    assert found["payload"]["source"]
    json.loads(encode(found))


def test_202_is_success():
    assert verdict(Response(202, {}, '{"status":"success"}')) is None


def test_a_refusal_is_told_in_pagerdutys_words():
    words = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
    }
    failure = verdict(Response(400, {}, json.dumps(words)))
    assert failure is not None
    assert (failure.permanent, failure.http_status) == (True, 400)
    assert failure.reason == (
        "PagerDuty says (HTTP 400): Event object is invalid;"
        " Length of 'routing_key' is incorrect (should be 32 characters)"
    )


@pytest.mark.parametrize("body", ["", "[]", "null", "Bad Request", '{"errors": 7}', "[" * 100_000])
def test_a_refusal_in_other_words_is_one_all_the_same(body):
    failure = verdict(Response(400, {}, body))
    assert failure is not None
    assert failure.permanent
    assert failure.reason.startswith("HTTP 400")


def test_the_words_do_not_bring_the_routing_key_into_the_error():
    body = json.dumps({"message": "no such key 0123456789abcdef"})
    failure = verdict(Response(400, {}, body, private=("0123456789abcdef",)))
    assert failure is not None
    assert failure.reason == "PagerDuty says (HTTP 400): no such key [...]"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(status):
    failure = verdict(Response(status, {}, "", retry_after_seconds=9))
    assert failure is not None
    assert (failure.permanent, failure.retry_after_seconds) == (False, 9)


def test_another_success_than_202_is_a_failure_that_names_the_setting():
    failure = verdict(Response(200, {}, "<html>Welcome</html>"))
    assert failure is not None
    assert (failure.permanent, failure.outcome_unknown) == (True, True)
    assert "RECEIVER_PAGERDUTY_EVENTS_URL" in failure.reason


def test_a_resolved_incident_says_how_it_ended():
    details = event(BY_TEMPLATE[Template.RESOLVED])["payload"]["custom_details"]
    assert details["Resolved by"] == "its last alert, which ended"
    assert event(BY_TEMPLATE[Template.RESOLVED])["payload"]["timestamp"].startswith(f"{NOW:%Y-%m-%d}")

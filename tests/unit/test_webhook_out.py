"""What a generic webhook posts, and how it is signed: https://www.standardwebhooks.com."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace

import pytest

from receiver.domain.notification import Template
from receiver.domain.signing_key import parse_signing_key
from receiver.httpclient import AddressGuard, HttpClient
from receiver.notifiers.webhook import Webhook, document, signature, webhook_id
from tests.builders.notifications import BY_TEMPLATE, FIRING, NOW
from tests.fakes.slack import SlackServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_schemes_own_example():
    found = signature(
        parse_signing_key(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_without_the_prefix_is_the_key_itself():
    assert parse_signing_key("größe") == "größe".encode()


@pytest.mark.parametrize("text", ["whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_" + "QUJD" * 22])
def test_a_secret_that_is_no_key_is_refused_without_quoting_it(text):
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        parse_signing_key(text)
    assert text == "whsec_" or text not in str(caught.value)


def test_an_opened_incident_as_json():
    assert document(FIRING) == {
        "version": "1",
        "type": "incident.opened",
        "timestamp": "2026-11-21T03:00:00.000Z",
        "data": {
            "incident": {
                "incident_id": "INC-20261121030000-0123456789abcdef",
                "number": "INC-4711",
                "title": "Größe of 日本 is over 9000 🔥",
                "summary": "It is.",
                "status": "active",
                "severity": "critical",
                "priority": "P0",
                "service": "checkout",
                "cluster": "prod-eu",
                "namespace": "shop",
                "alert_count": 3,
                "firing_count": 3,
                "opened_at": "2026-11-21T03:00:00.000Z",
                "last_seen_at": "2026-11-21T03:12:00.000Z",
                "acknowledged_at": None,
                "acknowledged_by": None,
                "resolved_at": None,
                "resolved_by": None,
                "links": {"runbook": "https://wiki.example/x"},
                "url": "https://receiver.example/incidents/4711",
            },
            "changes": [],
            "details": [],
            "diagnostics": [],
            "action_id": None,
        },
    }


def test_the_type_says_what_happened_and_the_time_when():
    found = {document(message)["type"]: document(message)["timestamp"] for message in BY_TEMPLATE.values()}
    assert found == {
        "incident.opened": "2026-11-21T03:00:00.000Z",
        "incident.updated": "2026-11-21T03:12:00.000Z",
        "incident.acknowledged": "2026-11-21T03:05:00.000Z",
        "incident.resolved": "2026-11-21T03:30:00.000Z",
        "test": "2026-11-21T03:00:00.000Z",
        "incident.escalated": "2026-11-21T03:00:00.000Z",
        "incident.diagnosed": "2026-11-21T03:00:00.000Z",
        "incident.reminder": "2026-11-21T03:00:00.000Z",
        "action.failed": "2026-11-21T03:00:00.000Z",
        "action.completed": "2026-11-21T03:00:00.000Z",
        "action.approval_needed": "2026-11-21T03:00:00.000Z",
        "incidents.opened": "2026-11-21T03:00:00.000Z",
    }


def test_a_message_about_an_action_has_its_id_and_what_was_measured():
    data = document(replace(BY_TEMPLATE[Template.APPROVAL_NEEDED], diagnostics=("pods: 1 of 3",)))["data"]
    assert (data["action_id"], data["diagnostics"]) == ("ACT-0123456789abcdef01234567", ["pods: 1 of 3"])
    assert data["details"] == ["kubernetes.rollback of svc-a to revision 4"]


def test_a_bundle_lists_its_incidents():
    bundle = BY_TEMPLATE[Template.BUNDLE]
    first, second = document(bundle)["data"]["incidents"]
    assert (first["number"], first["url"]) == ("INC-4711", "https://receiver.example/incidents/4711")
    assert (second["number"], second["priority"], second["opened_at"]) == ("INC-4712", "P2", None)
    assert document(replace(bundle, status="resolved"))["type"] == "incidents.resolved"


def test_a_repeat_has_the_same_id_and_another_message_another():
    messages = [
        *BY_TEMPLATE.values(),
        replace(BY_TEMPLATE[Template.UPDATED], sequence=4),
        replace(BY_TEMPLATE[Template.TEST], opened_at=FIRING.last_seen_at),
    ]
    ids = [webhook_id(message) for message in messages]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "INC-20261121030000-0123456789abcdef.opened.0"
    assert all("." in id_ and id_.isascii() and " " not in id_ for id_ in ids)


def test_the_bytes_that_arrive_are_the_bytes_that_were_signed_with_each_secret(slack: SlackServer):
    http = HttpClient().guarded(AddressGuard([ipaddress.ip_network("127.0.0.0/8")]))
    webhook = Webhook(f"{slack.base_url}/hook", [SECRET, "the-next-one"], http, clock=lambda: NOW)
    receipt = webhook.send(FIRING)
    (message,) = slack.messages()
    id_, timestamp = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    assert timestamp == str(int(NOW.timestamp()))
    assert message.headers["webhook-signature"].split(" ") == [
        signature(parse_signing_key(secret), id_, int(timestamp), message.raw)
        for secret in (SECRET, "the-next-one")
    ]
    assert json.loads(message.raw) == document(FIRING)
    assert (receipt.detail, receipt.provider_ref) == ("HTTP 200", id_)

"""What `receiver up` prints can be used as it stands, and tells no secret."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
import yaml

from receiver.cli.banner import alertmanager, banner, first_alert, grafana, incidents
from receiver.domain.alert import Alert
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body
from tests.builders.web import settings
from tests.fakes.tools import ROOT

URL = "http://127.0.0.1:8080"
SECRET = "secret-of-the-sender"
KINDS = {
    "none": {},
    "token": {"WEBHOOK_TOKEN": SECRET, "API_TOKENS": f"me:admin:{SECRET}"},
    "basic": {"WEBHOOK_BASIC": f"grafana:{SECRET}"},
    "hmac": {"WEBHOOK_HMAC_SECRET": SECRET, "WEBHOOK_HMAC_TIMESTAMP_HEADER": "X-Signed-At"},
}


@pytest.mark.parametrize("given", KINDS.values(), ids=KINDS)
def test_no_secret_is_printed(given):
    text = banner(settings(**given, DATABASE_URL=f"mysql+pymysql://me:{SECRET}@db/receiver"), URL)
    assert SECRET not in text
    assert "the database receiver on db" in text


@pytest.mark.parametrize("given", KINDS.values(), ids=KINDS)
def test_the_alertmanager_snippet_is_yaml_with_our_address(given):
    loaded = yaml.safe_load(alertmanager(settings(**given), URL))
    (receiver,) = loaded["receivers"]
    assert loaded["route"]["receiver"] == receiver["name"]
    (webhook,) = receiver["webhook_configs"]
    assert webhook["url"] == f"{URL}/api/v1/webhooks/alertmanager"
    wanted = {"none": None, "token": "authorization", "basic": "basic_auth", "hmac": None}
    kind = next(name for name, one in KINDS.items() if one == given)
    assert next(iter(webhook.get("http_config", [])), None) == wanted[kind]


def test_the_first_alert_is_one_and_sent_again_it_is_a_repeat():
    print_last_argument = 'curl() { for body; do :; done; printf %s "$body"; }\n'
    script = print_last_argument + first_alert(settings(), URL)
    body = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    (alert,) = parse_body(body, FieldMapping(), datetime.now(UTC)).alerts
    assert isinstance(alert, Alert)
    assert (alert.status, alert.starts_at, alert.service) == ("firing", None, "svc-a")


def test_the_readme_shows_the_same_first_alert():
    assert f"```sh\n{first_alert(settings(), URL)}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_credential_comes_from_a_variable():
    assert '-H "Authorization: Bearer $TOKEN"' in first_alert(settings(**KINDS["token"]), URL)
    assert '-u "$USER_AND_PASSWORD"' in first_alert(settings(**KINDS["basic"]), URL)
    assert "curl" not in first_alert(settings(**KINDS["hmac"]), URL)
    assert '"Authorization: Bearer $API_TOKEN"' in incidents(settings(**KINDS["token"]), URL)
    assert "Authorization" not in incidents(settings(), URL)


def test_senders_get_the_address_that_people_use():
    text = banner(settings(PUBLIC_URL="https://alerts.example.com/"), URL)
    assert "https://alerts.example.com/api/v1/webhooks/grafana" in text
    assert "url: https://alerts.example.com/api/v1/webhooks/alertmanager" in text
    assert f"curl -sS -X POST {URL}/api/v1/webhooks/alertmanager" in text


def test_grafana_is_told_which_credential_to_enter():
    assert "RECEIVER_WEBHOOK_TOKEN" in grafana(settings(**KINDS["token"]), URL)
    assert "RECEIVER_WEBHOOK_BASIC" in grafana(settings(**KINDS["basic"]), URL)
    assert "Timestamp header: X-Signed-At" in grafana(settings(**KINDS["hmac"]), URL)
    assert "RECEIVER" not in grafana(settings(), URL)


def test_a_missing_channel_is_said():
    assert "set RECEIVER_SLACK_WEBHOOK_URL" in banner(settings(), URL)
    assert "receiver notify-test" in banner(settings(SLACK_WEBHOOK_URL="https://hooks.slack.example/x"), URL)

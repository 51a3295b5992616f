"""Who may send alerts."""

import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from receiver.errors import NotAuthenticated
from receiver.web.webhook_auth import Admitted, WebhookGate
from tests.builders.web import environ, settings

SAMPLES = Path(__file__).parent.parent / "payloads" / "grafana"
SIGNED = {
    name: sample
    for name, sample in json.loads((SAMPLES / "expected.json").read_bytes()).items()
    if sample.get("hmac")
}
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BODY = b'{"version":"1"}'
BEARER = "Authorization"


def gate(at=NOW, **given):
    return WebhookGate(settings(**given), clock=lambda: at)


def admit(found, body=BODY, **headers):
    return found.before_body(environ(body, **headers))(body)


def basic(pair):
    return "Basic " + b64encode(pair.encode()).decode()


def sign(secret, body=BODY, at=None):
    prefix = b"" if at is None else f"{int(at.timestamp())}:".encode()
    return hmac.new(secret.encode(), prefix + body, sha256).hexdigest()


def test_on_loopback_without_credentials_everybody_may_send():
    assert admit(gate()) == Admitted("none")


def test_auth_off_opens_an_exposed_receiver():
    assert admit(gate(BIND="0.0.0.0:8080", AUTH="off")) == Admitted("none")


def test_an_exposed_receiver_without_webhook_credential_is_closed_and_says_which_setting_is_missing():
    found = gate(BIND="0.0.0.0:8080", API_TOKENS="ann:admin:tok-ann")
    with pytest.raises(NotAuthenticated, match="RECEIVER_WEBHOOK_TOKEN"):
        admit(found)


@pytest.mark.parametrize("token", ["old-token", "new-token", "tökén"])
def test_each_of_several_bearer_tokens_lets_in(token):
    shown = f"Bearer {token}".encode().decode("latin-1")  # as WSGI hands header bytes over
    assert admit(gate(WEBHOOK_TOKEN="old-token,new-token,tökén"), Authorization=shown) == Admitted("bearer")


def test_the_scheme_is_read_without_case():
    assert admit(gate(WEBHOOK_TOKEN="tok"), Authorization="bearer tok") == Admitted("bearer")


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "tok",
        "Token tok",
        "Basic tok",
        "Bearer tok2",
        "Bearer to",
        "Bearer t\xf6k",
    ],
)
def test_another_bearer_token_is_refused(shown):
    with pytest.raises(NotAuthenticated) as refused:
        admit(gate(WEBHOOK_TOKEN="tok"), Authorization=shown)
    assert "Authorization: Bearer" in refused.value.detail
    assert "Basic" not in refused.value.detail


@pytest.mark.parametrize("pair", ["grafana:s3cret", "alertmanager:zweites:mit:doppelpunkt", "ünï:çödé"])
def test_each_of_several_basic_pairs_lets_in(pair):
    found = gate(WEBHOOK_BASIC="grafana:s3cret,alertmanager:zweites:mit:doppelpunkt,ünï:çödé")
    assert admit(found, Authorization=basic(pair)) == Admitted("basic")


@pytest.mark.parametrize(
    "shown", [basic("grafana:wrong"), basic("grafana"), "Basic !!!", "Basic", "Bearer grafana:s3cret"]
)
def test_another_basic_pair_is_refused(shown):
    with pytest.raises(NotAuthenticated, match="Authorization: Basic"):
        admit(gate(WEBHOOK_BASIC="grafana:s3cret"), Authorization=shown)


@pytest.mark.parametrize("name", SIGNED)
def test_grafanas_own_signatures_are_right(name):
    sample = SIGNED[name]
    header, stamp = sample["hmac"]["header"], sample["hmac"]["timestamp_header"]
    given = {"WEBHOOK_HMAC_SECRET": f"another,{sample['hmac']['secret']}", "WEBHOOK_HMAC_HEADER": header}
    headers = {header.replace("-", "_"): sample["headers"][header]}
    at = NOW
    if stamp:
        given["WEBHOOK_HMAC_TIMESTAMP_HEADER"] = stamp
        headers[stamp.replace("-", "_")] = sample["headers"][stamp]
        at = datetime.fromtimestamp(int(sample["headers"][stamp]), UTC)
    body = (SAMPLES / name).read_bytes()
    assert admit(gate(at, **given), body, **headers) == Admitted("hmac", signature_verified=True)


def test_the_name_that_grafanas_code_falls_back_on_is_taken_too():
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_HMAC_HEADER="X-Own")
    for header in ("X_Own", "X_Grafana_Alert_Signature"):
        assert admit(found, **{header: sign("k3y")}).signature_verified


@pytest.mark.parametrize(
    "shown", ["", "0" * 64, sign("wrong"), sign("k3y").upper(), sign("k3y", b"other"), "ß" * 64]
)
def test_a_wrong_signature_is_refused_even_with_a_good_token(shown):
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_TOKEN="tok")
    with pytest.raises(NotAuthenticated, match="signature"):
        admit(found, Authorization="Bearer tok", X_Grafana_Alerting_Signature=shown)


def test_with_token_and_secret_set_either_one_lets_in():
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_TOKEN="tok")
    signature = {"X_Grafana_Alerting_Signature": sign("k3y")}
    assert admit(found, Authorization="Bearer tok") == Admitted("bearer")
    assert admit(found, **signature) == Admitted("hmac", signature_verified=True)
    assert admit(found, Authorization="Bearer tok", **signature) == Admitted(
        "bearer", signature_verified=True
    )
    assert admit(found, Authorization="Bearer wrong", **signature) == Admitted(
        "hmac", signature_verified=True
    )


@pytest.mark.parametrize("off_seconds", [-300, 0, 300])
def test_a_signed_time_may_be_five_minutes_off(off_seconds):
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_HMAC_TIMESTAMP_HEADER="X-Time")
    at = NOW + timedelta(seconds=off_seconds)
    shown = {"X_Time": str(int(at.timestamp())), "X_Grafana_Alerting_Signature": sign("k3y", at=at)}
    assert admit(found, **shown).signature_verified


@pytest.mark.parametrize("off_seconds", [-301, 301])
def test_a_signed_time_further_off_is_refused(off_seconds):
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_HMAC_TIMESTAMP_HEADER="X-Time")
    at = NOW + timedelta(seconds=off_seconds)
    with pytest.raises(NotAuthenticated, match="300 seconds"):
        admit(found, X_Time=str(int(at.timestamp())), X_Grafana_Alerting_Signature=sign("k3y", at=at))


@pytest.mark.parametrize(
    "stamp", [{}, {"X_Time": ""}, {"X_Time": "abc"}, {"X_Time": "1" * 30}, {"X_Time": "²"}, {"X_Time": "-5"}]
)
def test_who_drops_the_signed_time_cannot_replay_a_signature_of_the_body_alone(stamp):
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_HMAC_TIMESTAMP_HEADER="X-Time")
    with pytest.raises(NotAuthenticated, match="X-Time"):
        admit(found, X_Grafana_Alerting_Signature=sign("k3y"), **stamp)


def test_a_sender_without_any_good_credential_is_refused_before_its_body_is_read():
    found = gate(WEBHOOK_HMAC_SECRET="k3y", WEBHOOK_BASIC="a:b")
    with pytest.raises(NotAuthenticated):
        found.before_body(environ(b""))


@pytest.mark.parametrize(
    "given",
    [
        {"WEBHOOK_TOKEN": "s3cret-one"},
        {"WEBHOOK_BASIC": "u:s3cret-one"},
        {"WEBHOOK_HMAC_SECRET": "s3cret-one"},
    ],
)
def test_no_refusal_says_what_was_sent_or_what_would_be_right(given):
    shown = {"Authorization": "Bearer shown-secret", "X_Grafana_Alerting_Signature": "shown-signature"}
    with pytest.raises(NotAuthenticated) as refused:
        admit(gate(**given), **shown)
    for text in ("s3cret-one", "shown-secret", "shown-signature"):
        assert text not in refused.value.detail

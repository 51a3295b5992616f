"""Settings: all mistakes at once, by name, and never a secret in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.config import SETTINGS, ApiToken, HostPort, load
from receiver.errors import SettingsError


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load({f"RECEIVER_{name}": value for name, value in environ.items()})
    return list(caught.value.problems)


def test_nothing_set_gives_the_embedded_database_on_loopback() -> None:
    settings = load({})
    assert settings.database_url == "sqlite:///var/receiver.db"
    assert settings.bind == HostPort("127.0.0.1", 8080)
    assert settings.channels == ()


def test_every_wrong_setting_is_reported_at_once_by_name() -> None:
    found = problems(
        BIND="8080", WEB_WORKERS="none", AUTH="maybe", LOG_LEVEL="loud", DATABASE_URL="postgresql://x/y"
    )
    names = [line.partition(":")[0] for line in found]
    assert names == [
        f"RECEIVER_{name}" for name in ("AUTH", "BIND", "DATABASE_URL", "LOG_LEVEL", "WEB_WORKERS")
    ]


def test_a_misspelt_setting_is_reported_instead_of_ignored() -> None:
    assert problems(SLACK_WEBHOK_URL="https://hooks.example") == [
        "RECEIVER_SLACK_WEBHOK_URL: there is no such setting"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_TOKENS", "ann:chief:s3cr3t-token"),
        ("DATABASE_URL", "oracle://user:s3cr3t-token@db/x"),
        ("WEBHOOK_BASIC", "s3cr3t-token"),
        ("SLACK_WEBHOOK_URL", "s3cr3t-token"),
        ("SMTP_URL", "http://user:s3cr3t-token@mail.example"),
        ("SMTP_URL", "smtp://user:s3cr3t-token@mail.example:port"),
        ("WEBHOOK_OUT_URL", "ftp://hooks.example/s3cr3t-token"),
        ("SLACK_WEBHOOK_URL", "https://hooks.example:99999/s3cr3t-token"),
        ("SLACK_WEBHOOK_URL", "https:///s3cr3t-token"),
        ("WEBHOOK_OUT_URL", "https://user:s3cr3t-token@[::1"),
        ("WEBHOOK_OUT_SECRET", "whsec_s3cr3t-token"),
    ],
)
def test_a_message_about_a_secret_does_not_hold_it(name: str, value: str) -> None:
    found = "\n".join(problems(**{name: value}))
    assert f"RECEIVER_{name}: " in found
    assert "s3cr3t-token" not in found


def test_a_secret_can_come_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first, second\n")
    assert load({"RECEIVER_WEBHOOK_TOKEN_FILE": str(file)}).webhook_token == ("first", "second")


def test_an_empty_file_means_not_set(tmp_path: Path) -> None:
    file = tmp_path / "slack"
    file.write_text("\n")
    assert load({"RECEIVER_SLACK_WEBHOOK_URL_FILE": str(file)}).slack_webhook_url is None


def test_an_unreadable_file_is_reported_by_name() -> None:
    assert problems(WEBHOOK_TOKEN_FILE="/nowhere/token") == [
        "RECEIVER_WEBHOOK_TOKEN_FILE: cannot read the file (FileNotFoundError)"
    ]


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "[::]:8080", "receiver.example:8080", "192.0.2.7:80"])
def test_an_open_address_without_any_credential_is_refused(bind: str) -> None:
    assert "RECEIVER_WEBHOOK_TOKEN" in problems(BIND=bind)[0]
    assert load({"RECEIVER_BIND": bind, "RECEIVER_AUTH": "off"}).bind.port
    assert load({"RECEIVER_BIND": bind, "RECEIVER_WEBHOOK_TOKEN": "t0ken-of-mine"}).has_webhook_credential


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:8080", "[::1]:8080"])
def test_loopback_needs_no_credential(bind: str) -> None:
    assert load({"RECEIVER_BIND": bind}).bind.is_loopback


def test_api_tokens_name_who_and_what_they_may() -> None:
    settings = load({"RECEIVER_API_TOKENS": "ann:admin:a:b, bot:viewer:xyz"})
    assert settings.api_tokens == (ApiToken("ann", "admin", "a:b"), ApiToken("bot", "viewer", "xyz"))


def test_priorities_given_change_the_table_and_keep_the_rest() -> None:
    priorities = load({"RECEIVER_PRIORITIES": "warning=p3"}).priorities
    assert (priorities["warning"], priorities["critical"]) == ("P3", "P0")


def test_the_secrets_are_all_known_to_the_log_filter() -> None:
    given = {
        "RECEIVER_DATABASE_URL": "mysql+pymysql://user:db-secret@h/x",
        "RECEIVER_WEBHOOK_TOKEN": "token-secret",
        "RECEIVER_WEBHOOK_BASIC": "user:basic-secret",
        "RECEIVER_WEBHOOK_HMAC_SECRET": "hmac-secret",
        "RECEIVER_API_TOKENS": "ann:admin:api-secret",
        "RECEIVER_SLACK_WEBHOOK_URL": "https://hooks.example/slack-secret",
        "RECEIVER_PAGERDUTY_ROUTING_KEY": "pagerduty-secret",
        "RECEIVER_SMTP_URL": "smtps://user:smtp%2Dsecret@mail.example",
        "RECEIVER_WEBHOOK_OUT_URL": "https://hooks.example/out-secret",
        "RECEIVER_WEBHOOK_OUT_SECRET": "signing-secret, second-secret",
        "RECEIVER_SLACK_BOT_TOKEN": "xoxb-secret",
        "RECEIVER_APPRISE_URLS": "teams=json://user:apprise-secret@host",
        "RECEIVER_PROMETHEUS_TOKEN": "prometheus-secret",
        "RECEIVER_KUBERNETES_TOKEN": "kubernetes-secret",
        "RECEIVER_REMEDIATION_DATABASES": "orders=mysql://root:database%2Dsecret@host/orders",
        "RECEIVER_BROKER_URL": "nats://user:broker-secret@host:4222",
    }
    assert {name for name in given} == {setting.name for setting in SETTINGS if setting.secret}
    plain = {
        "RECEIVER_SMTP_FROM": "a@example.org",
        "RECEIVER_SMTP_TO": "b@example.org",
        "RECEIVER_SLACK_CHANNEL": "#a",
    }
    found = " ".join(load(given | plain).secrets())
    kinds = ["db", "token", "basic", "hmac", "api", "slack", "pagerduty", "smtp", "out", "signing", "second"]
    for kind in [*kinds, "xoxb", "apprise", "prometheus", "kubernetes", "database", "broker"]:
        assert f"{kind}-secret" in found


def test_no_secret_shows_in_the_settings_own_text() -> None:
    settings = load({"RECEIVER_API_TOKENS": "ann:admin:api-secret"})
    assert "api-secret" not in repr(settings.api_tokens)


def test_the_channels_are_those_that_are_set_up() -> None:
    settings = {
        "RECEIVER_PAGERDUTY_ROUTING_KEY": "k",
        "RECEIVER_SMTP_URL": "smtp://mail.example",
        "RECEIVER_SMTP_FROM": "alerts@example.org",
        "RECEIVER_SMTP_TO": "a@example.org, b@example.org,",
        "RECEIVER_WEBHOOK_OUT_URL": "https://hooks.example/x/",
        "RECEIVER_WEBHOOK_OUT_SECRET": "s",
        "RECEIVER_WEBHOOK_OUT_ALLOW": "10.1.0.0/16,fd00::/8",
    }
    found = load(settings)
    assert found.channels == ("pagerduty", "email", "webhook")
    assert found.smtp_to == ("a@example.org", "b@example.org")
    assert [str(network) for network in found.webhook_out_allow] == ["10.1.0.0/16", "fd00::/8"]


def test_what_belongs_together_must_come_together() -> None:
    assert problems(SMTP_URL="smtp://mail.example", WEBHOOK_OUT_URL="https://hooks.example/x") == [
        "RECEIVER_SMTP_FROM: must be set, because RECEIVER_SMTP_URL is",
        "RECEIVER_SMTP_TO: must be set, because RECEIVER_SMTP_URL is",
        "RECEIVER_WEBHOOK_OUT_SECRET: must be set, because RECEIVER_WEBHOOK_OUT_URL is",
    ]


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.0/8;::/0"])
def test_a_network_that_is_none_is_refused(networks: str) -> None:
    assert "10.1.0.0/16" in problems(WEBHOOK_OUT_ALLOW=networks)[0]

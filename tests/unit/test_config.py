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
    ],
)
def test_a_message_about_a_secret_does_not_hold_it(name: str, value: str) -> None:
    assert "s3cr3t-token" not in "".join(problems(**{name: value}))


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
    }
    assert {name for name in given} == {setting.name for setting in SETTINGS if setting.secret}
    found = " ".join(load(given).secrets())
    for kind in ("db", "token", "basic", "hmac", "api", "slack"):
        assert f"{kind}-secret" in found


def test_no_secret_shows_in_the_settings_own_text() -> None:
    settings = load({"RECEIVER_API_TOKENS": "ann:admin:api-secret"})
    assert "api-secret" not in repr(settings.api_tokens)

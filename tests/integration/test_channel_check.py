"""`receiver doctor` looks at every channel that is configured, and sends nothing."""

from __future__ import annotations

import pytest

from receiver.config import load
from receiver.domain.finding import Finding, Level
from receiver.httpclient import HttpClient
from receiver.services.channel_check import check_channels
from receiver.smtpclient import SmtpClient
from tests.fakes.counterparts import ALL, BotCounterpart, MailCounterpart
from tests.fakes.ports import free_port

LIMITS = (1, 1, 2)  # seconds to connect, to read, altogether


def findings(settings: dict[str, str]) -> list[Finding]:
    loaded = load({f"RECEIVER_{name}": text for name, text in settings.items()})
    return list(check_channels(loaded, HttpClient(*LIMITS), SmtpClient(*LIMITS)))


def test_without_any_channel_nobody_is_told():
    (found,) = findings({})
    assert (found.level, found.subject) == (Level.WARN, "Slack")
    assert "nobody is told" in found.text


@pytest.mark.parametrize("channel", sorted(ALL))
def test_a_channel_that_answers_is_good_and_gets_no_message(channel):
    with ALL[channel]() as service:
        (found,) = findings(service.settings(service.port))
        assert service.attempts() == 0
    assert (found.level, found.advice) == (Level.OK, "")


@pytest.mark.parametrize("channel", sorted(set(ALL) - {"apprise"}))  # only its messages connect
def test_a_channel_that_cannot_be_reached_is_bad_and_its_secret_is_not_told(channel):
    with ALL[channel]() as service:
        (found,) = findings(service.settings(free_port()))
        assert not [secret for secret in service.secrets if secret in found.text + found.advice]
    assert found.level is Level.BAD
    assert "connection refused" in found.text
    assert "RECEIVER_" in found.advice


def test_a_mail_server_that_does_not_know_the_password_is_bad():
    with MailCounterpart() as service:
        settings = service.settings(service.port)
        (found,) = findings(settings | {"SMTP_URL": settings["SMTP_URL"].replace("s3cr3t", "wr0ng")})
    assert found.level is Level.BAD
    assert "535" in found.text


def test_a_token_that_slack_does_not_know_is_bad():
    with BotCounterpart() as service:
        (found,) = findings(service.settings(service.port) | {"SLACK_BOT_TOKEN": "xoxb-another"})
    assert found.level is Level.BAD
    assert "invalid_auth" in found.text


def test_a_channel_by_name_is_good_enough_to_post_but_not_to_look():
    with BotCounterpart() as service:
        (found,) = findings(service.settings(service.port) | {"SLACK_CHANNEL": "#alerts"})
    assert (found.level, "receiver in Example" in found.text) == (Level.WARN, True)
    assert "RECEIVER_SLACK_CHANNEL" in found.advice


def test_an_address_that_apprise_does_not_know_is_bad_and_not_told():
    (found,) = findings({"APPRISE_URLS": "teams=nosuch://secret-of-the-service"})
    assert (found.level, found.subject) == (Level.BAD, "teams")
    assert "secret-of-the-service" not in found.text + found.advice


def test_each_mistake_in_a_template_is_a_finding(tmp_path):
    tmp_path.joinpath("email-subject.txt").write_text("{{ titel }}")
    found, _ = findings({"TEMPLATES_DIR": str(tmp_path)})
    assert (found.level, found.subject) == (Level.BAD, "templates")
    assert "email-subject.txt:1: " in found.text
    tmp_path.joinpath("email-subject.txt").write_text("{{ title }}")
    found, _ = findings({"TEMPLATES_DIR": str(tmp_path)})
    assert found.level is Level.OK

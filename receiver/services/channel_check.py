"""Whether the services behind the channels can be reached. Nobody gets a message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from receiver.config import Settings
from receiver.domain.finding import Finding, bad, ok, warn
from receiver.errors import DeliveryFailed, SettingsError
from receiver.httpclient import AddressGuard, HttpClient
from receiver.notifiers.apprise import Apprise
from receiver.notifiers.slack_api import SlackApi
from receiver.notifiers.texts import Texts
from receiver.smtpclient import SmtpClient

_GOOD = "can be reached; `receiver notify-test` shows whether it takes messages"


def check_channels(settings: Settings, http: HttpClient, smtp: SmtpClient) -> Iterator[Finding]:
    """One finding for each channel that is configured; a warning if none is."""
    if settings.slack_bot_token:
        yield _bot(settings, http)
    elif settings.slack_webhook_url:
        yield _web("Slack", settings.slack_webhook_url, "RECEIVER_SLACK_WEBHOOK_URL", http)
    if settings.pagerduty_routing_key:
        yield _web("PagerDuty", settings.pagerduty_events_url, "RECEIVER_PAGERDUTY_EVENTS_URL", http)
    if settings.smtp_url:
        yield _mail(settings, smtp)
    if settings.webhook_out_url:
        guarded = http.guarded(AddressGuard(settings.webhook_out_allow))
        yield _web("webhook", settings.webhook_out_url, "RECEIVER_WEBHOOK_OUT_URL", guarded)
    for name, url in settings.apprise_urls.items():
        yield _apprise(name, url, http)
    if settings.templates_dir:
        yield from _templates(settings.templates_dir)
    if not settings.channels:
        yield warn("Slack", "not set up: nobody is told of incidents", "set RECEIVER_SLACK_WEBHOOK_URL")


def _bot(settings: Settings, http: HttpClient) -> Finding:
    """auth.test posts nothing, and proves the token, too."""
    try:
        who = SlackApi(settings.slack_api_url, settings.slack_bot_token or "", http).whoami()
    except DeliveryFailed as failure:
        advice = (
            "check RECEIVER_SLACK_BOT_TOKEN and RECEIVER_SLACK_API_URL, and HTTPS_PROXY if a proxy is needed"
        )
        return bad("Slack", f"cannot be used: {failure.reason}", advice)
    if (settings.slack_channel or "").startswith("#"):
        advice = "set RECEIVER_SLACK_CHANNEL to the channel's id (at the end of its details in Slack)"
        return warn(
            "Slack", f"signed in as {who}; a #name does not always let it look for a lost message", advice
        )
    return ok("Slack", f"signed in as {who}; `receiver notify-test` shows whether it may post")


def _apprise(name: str, url: str, http: HttpClient) -> Finding:
    """Whether Apprise knows what to do with the address; only a message could tell more."""
    try:
        service = Apprise(name, url, http.limits).check()
    except (DeliveryFailed, SettingsError) as failure:
        reason = failure.reason if isinstance(failure, DeliveryFailed) else failure.problems[0]
        return bad(name, reason, "check RECEIVER_APPRISE_URLS")
    return ok(
        name, f"{service.service_name} by Apprise; `receiver notify-test` shows whether it takes messages"
    )


def _templates(folder: Path) -> Iterator[Finding]:
    texts = Texts(folder)
    for mistake in texts.mistakes:
        advice = "the shipped one is used instead; `receiver templates check` says the same"
        yield bad("templates", mistake, advice)
    if not texts.mistakes:
        yield ok("templates", f"those in {folder} can be used")


def _web(subject: str, url: str, setting: str, http: HttpClient) -> Finding:
    """A HEAD request cannot post a message, and any answer proves DNS, proxy and TLS."""
    try:
        status = http.request("HEAD", url).status
    except DeliveryFailed as failure:
        advice = f"check {setting}, and HTTPS_PROXY if a proxy is needed"
        return bad(subject, f"cannot be reached: {failure.reason}", advice)
    if status in (502, 503, 504):
        advice = "messages are retried; look at the service's status page"
        return warn(subject, f"has trouble (HTTP {status})", advice)
    return ok(subject, _GOOD)


def _mail(settings: Settings, smtp: SmtpClient) -> Finding:
    """Up to and including the password."""
    assert settings.smtp_url is not None
    try:
        smtp.check(settings.smtp_url, settings.smtp_from or "")
    except DeliveryFailed as failure:
        return bad("e-mail", f"cannot be sent: {failure.reason}", "check RECEIVER_SMTP_URL")
    return ok("e-mail", _GOOD)

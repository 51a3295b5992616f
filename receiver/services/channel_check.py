"""Whether the services behind the channels can be reached. Nobody gets a message."""

from __future__ import annotations

from collections.abc import Iterator

from receiver.config import Settings
from receiver.domain.finding import Finding, bad, ok, warn
from receiver.errors import DeliveryFailed
from receiver.httpclient import AddressGuard, HttpClient
from receiver.smtpclient import SmtpClient

_GOOD = "can be reached; `receiver notify-test` shows whether it takes messages"


def check_channels(settings: Settings, http: HttpClient, smtp: SmtpClient) -> Iterator[Finding]:
    """One finding for each channel that is configured; a warning if none is."""
    if settings.slack_webhook_url:
        yield _web("Slack", settings.slack_webhook_url, "RECEIVER_SLACK_WEBHOOK_URL", http)
    if settings.pagerduty_routing_key:
        yield _web("PagerDuty", settings.pagerduty_events_url, "RECEIVER_PAGERDUTY_EVENTS_URL", http)
    if settings.smtp_url:
        yield _mail(settings, smtp)
    if settings.webhook_out_url:
        guarded = http.guarded(AddressGuard(settings.webhook_out_allow))
        yield _web("webhook", settings.webhook_out_url, "RECEIVER_WEBHOOK_OUT_URL", guarded)
    if not settings.channels:
        yield warn("Slack", "not set up: nobody is told of incidents", "set RECEIVER_SLACK_WEBHOOK_URL")


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

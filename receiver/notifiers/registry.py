"""Every channel there is, written out. A new one gets a class, a setting's case, and a case in the contract test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from receiver.domain.notification import Template
from receiver.httpclient import AddressGuard, HttpClient
from receiver.notifiers.base import Notifier
from receiver.notifiers.email import Email
from receiver.notifiers.pagerduty import PagerDuty
from receiver.notifiers.settings import ChannelSettings
from receiver.notifiers.slack import SlackWebhook
from receiver.notifiers.webhook import Webhook
from receiver.smtpclient import SmtpClient

# The occasions of which each channel hears, by its name; Template.TEST, which belongs to no incident, is not one.
WANTED: Mapping[str, frozenset[Template]] = {
    channel.name: channel.templates for channel in (SlackWebhook, PagerDuty, Email, Webhook)
}


def build_notifiers(
    settings: ChannelSettings, http: HttpClient | None = None, smtp: SmtpClient | None = None
) -> dict[str, Notifier]:
    """The channels that `settings` names, by name."""
    notifiers = _build(settings, http or HttpClient(), smtp or SmtpClient())
    return {notifier.name: notifier for notifier in notifiers}


def _build(settings: ChannelSettings, http: HttpClient, smtp: SmtpClient) -> Iterator[Notifier]:
    if settings.slack_webhook_url:
        yield SlackWebhook(settings.slack_webhook_url, http)
    if settings.pagerduty_routing_key:
        yield PagerDuty(settings.pagerduty_routing_key, settings.pagerduty_events_url, http)
    if settings.smtp_url and settings.smtp_from:
        yield Email(settings.smtp_url, settings.smtp_from, settings.smtp_to, smtp)
    if settings.webhook_out_url:
        guarded = http.guarded(AddressGuard(settings.webhook_out_allow))
        yield Webhook(settings.webhook_out_url, settings.webhook_out_secret, guarded)

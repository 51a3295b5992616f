"""Every channel there is, written out. A new one gets an argument, an entry and a case in the contract test."""

from __future__ import annotations

from receiver.httpclient import HttpClient
from receiver.notifiers.base import Notifier
from receiver.notifiers.slack import SlackWebhook


def build_notifiers(*, slack_webhook_url: str | None, http: HttpClient) -> dict[str, Notifier]:
    """The channels whose settings are given, by name."""
    notifiers: list[Notifier] = []
    if slack_webhook_url:
        notifiers.append(SlackWebhook(slack_webhook_url, http))
    return {notifier.name: notifier for notifier in notifiers}

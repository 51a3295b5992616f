"""Every channel there is, written out. A new one gets a class, a setting's case, and a case in the contract test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from receiver.domain.channel import ChannelSpec, Kind
from receiver.domain.notification import Template
from receiver.httpclient import AddressGuard, HttpClient
from receiver.notifiers.apprise import Apprise
from receiver.notifiers.base import Notifier
from receiver.notifiers.email import Email
from receiver.notifiers.pagerduty import PagerDuty
from receiver.notifiers.settings import ChannelSettings
from receiver.notifiers.slack import SlackWebhook
from receiver.notifiers.slack_api import SlackApi
from receiver.notifiers.slack_bot import SlackBot
from receiver.notifiers.texts import Texts
from receiver.notifiers.webhook import Webhook
from receiver.smtpclient import SmtpClient

# The occasions of which each kind hears; Template.TEST, which belongs to no incident, is not one. A Slack app hears of
# more than an incoming webhook: `hearing` knows which of the two is set up.
WANTED_BY_KIND: Mapping[Kind, frozenset[Template]] = {
    Kind.SLACK: SlackBot.templates,
    Kind.PAGERDUTY: PagerDuty.templates,
    Kind.EMAIL: Email.templates,
    Kind.WEBHOOK: Webhook.templates,
    Kind.APPRISE: Apprise.templates,
}
# The same for the channels whose names are fixed: what a rules file may name anywhere, whatever is configured.
WANTED: Mapping[str, frozenset[Template]] = {
    kind.value: wanted for kind, wanted in WANTED_BY_KIND.items() if kind is not Kind.APPRISE
}


def hearing(
    settings: ChannelSettings, named: Mapping[str, ChannelSpec] | None = None
) -> dict[str, frozenset[Template]]:
    """Every channel that is configured, by name, with the occasions of which it hears.

    `named`: those of the rules file. A kind that the settings lack gives none (the rules are checked for that).
    """
    found = {
        name: SlackWebhook.templates
        if name == Kind.SLACK and not settings.slack_bot_token
        else WANTED.get(name, WANTED_BY_KIND[Kind.APPRISE])
        for name in settings.channels
    }
    usable = named_kinds(settings)
    found |= {name: WANTED_BY_KIND[spec.kind] for name, spec in (named or {}).items() if spec.kind in usable}
    return found


def named_kinds(settings: ChannelSettings) -> frozenset[Kind]:
    """The kinds of which the rules file may name more channels, with these settings."""
    kinds = [Kind.SLACK] if settings.slack_bot_token else []
    kinds += [Kind.EMAIL] if settings.smtp_url else []
    return frozenset(kinds)


def build_notifiers(
    settings: ChannelSettings,
    http: HttpClient | None = None,
    smtp: SmtpClient | None = None,
    named: Mapping[str, ChannelSpec] | None = None,
) -> dict[str, Notifier]:
    """The channels that `settings` and the rules file (`named`) set up, by name: the same that `hearing` lists.

    Raises SettingsError if one needs a package that is not installed.
    """
    builder = _Builder(settings, http or HttpClient(), smtp or SmtpClient())
    notifiers = [*builder.configured(), *builder.named(named or {})]
    return {notifier.name: notifier for notifier in notifiers}


class _Builder:
    def __init__(self, settings: ChannelSettings, http: HttpClient, smtp: SmtpClient) -> None:
        self._settings = settings
        self._http = http.keeping()  # in a storm one message follows the other
        self._smtp = smtp
        self._texts = Texts(settings.templates_dir)
        self._texts.log_mistakes()

    def configured(self) -> Iterator[Notifier]:
        """The channels of the settings."""
        settings, texts = self._settings, self._texts
        if settings.slack_bot_token:
            yield self._slack_bot(Kind.SLACK, settings.slack_channel or "")
        elif settings.slack_webhook_url:
            yield SlackWebhook(settings.slack_webhook_url, self._http, texts)
        if settings.pagerduty_routing_key:
            yield PagerDuty(settings.pagerduty_routing_key, settings.pagerduty_events_url, self._http, texts)
        if settings.smtp_url:
            yield self._email(Kind.EMAIL, settings.smtp_to)
        if settings.webhook_out_url:
            guarded = self._http.guarded(AddressGuard(settings.webhook_out_allow))
            yield Webhook(settings.webhook_out_url, settings.webhook_out_secret, guarded)
        for name, url in settings.apprise_urls.items():
            yield Apprise(name, url, self._http.limits, texts)

    def named(self, specs: Mapping[str, ChannelSpec]) -> Iterator[Notifier]:
        """The channels of the rules file."""
        usable = named_kinds(self._settings)
        for name, spec in specs.items():
            if spec.kind not in usable:
                continue
            yield (
                self._slack_bot(name, spec.to[0]) if spec.kind is Kind.SLACK else self._email(name, spec.to)
            )

    def _slack_bot(self, name: str, channel: str) -> SlackBot:
        settings = self._settings
        api = SlackApi(settings.slack_api_url, settings.slack_bot_token or "", self._http)
        return SlackBot(name, channel, api, self._texts)

    def _email(self, name: str, recipients: tuple[str, ...]) -> Email:
        assert self._settings.smtp_url is not None
        return Email(
            self._settings.smtp_url,
            self._settings.smtp_from or "",
            recipients,
            self._smtp,
            name=name,
            texts=self._texts,
        )

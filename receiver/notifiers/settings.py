"""The part of the settings that is about channels."""
# ruff: noqa: D102 - what each is for stands in receiver/config/settings.py

from __future__ import annotations

from typing import Protocol

from receiver.domain.mail_server import MailServer
from receiver.httpclient import Network


class ChannelSettings(Protocol):
    """The part of the settings that is which the registry reads (receiver.config.Settings has it all)."""

    @property
    def slack_webhook_url(self) -> str | None: ...
    @property
    def pagerduty_routing_key(self) -> str | None: ...
    @property
    def pagerduty_events_url(self) -> str: ...
    @property
    def smtp_url(self) -> MailServer | None: ...
    @property
    def smtp_from(self) -> str | None: ...
    @property
    def smtp_to(self) -> tuple[str, ...]: ...
    @property
    def webhook_out_url(self) -> str | None: ...
    @property
    def webhook_out_secret(self) -> tuple[str, ...]: ...
    @property
    def webhook_out_allow(self) -> tuple[Network, ...]: ...

"""Channels that the rules file names: another place of a kind that the settings configure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

# With `notify-` before it, it is the name of a queue, which has 32 characters.
CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
SLACK_CHANNEL = re.compile(r"[CGD][A-Z0-9]{6,20}|#[^\s#]{1,80}")


class Kind(StrEnum):
    """What a channel is. Each of these but Apprise, which has names of its own, is the name of a channel, too."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    EMAIL = "email"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


# They wake people up: a rule's `all` means them only for incidents of these priorities.
PAGING = frozenset({Kind.PAGERDUTY.value})
PAGING_PRIORITIES = frozenset({"P0", "P1"})
# Names that no channel of a user's own may have. `all` is a rule's word for every channel.
RESERVED = frozenset({*Kind, "all"})
# The kinds of which the rules file may name more.
NAMED_KINDS = frozenset({Kind.SLACK, Kind.EMAIL})


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel of the rules file. `to`: for Slack one channel (id or #name), for e-mail the recipients."""

    name: str
    kind: Kind
    to: tuple[str, ...]

"""How many messages a channel gets in a minute, and which of those above the limit are told together. Pure.

A channel has a window of a minute that begins with its first message, and at most one open bundle for beginnings and
one for ends. A bundle is filled for a while, then closed and sent as one message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from receiver.domain.notification import Template
from receiver.domain.severity import Priority

WINDOW_SECONDS = 60.0
FILLS_SECONDS = 15.0  # long enough to gather a storm, short enough to be told of it
LARGEST_BUNDLE = 50  # more do not fit into one message of most channels
BUNDLED = frozenset({Template.OPENED, Template.RESOLVED})
# They lose nothing by coming later.
PATIENT = frozenset({Template.UPDATED, Template.DIAGNOSED, Template.REMINDER})


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """A bundle that is being filled: its job's key, and how many incidents are in it."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What a channel was sent in its window, and its open bundles by template."""

    since: datetime | None = None
    sent: int = 0
    bundles: Mapping[str, OpenBundle] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "since": self.since.isoformat() if self.since else None,
            "sent": self.sent,
            "bundles": {name: {"key": one.key, "size": one.size} for name, one in self.bundles.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Pace:
        """What is stored; {} for a channel that was never told anything."""
        since = document.get("since")
        return cls(
            since=datetime.fromisoformat(since).astimezone(UTC) if since else None,
            sent=document.get("sent", 0),
            bundles={name: OpenBundle(**one) for name, one in document.get("bundles", {}).items()},
        )


class Way(StrEnum):
    """How a message goes out."""

    SINGLE = "single"
    BUNDLE = "bundle"  # into the bundle `key`
    LATER = "later"  # when the window is over
    DROP = "drop"  # nobody was told of the beginning, and the end makes that moot


@dataclass(frozen=True, slots=True)
class Passage:
    """How a message goes out, and the channel's pace with it. `opens`: whether its bundle is new and needs a job."""

    way: Way
    pace: Pace
    key: str = ""
    opens: bool = False
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """What decides how a message goes out. `bundle`: that of the incident's beginning, if it is in one."""

    channel: str
    template: Template
    priority: str
    bundle: str = ""


def pass_on(message: Message, pace: Pace, limit: int, now: datetime) -> Passage:
    """How `message` goes out at `now`, where `limit` messages a window are allowed.

    Above the limit beginnings and ends are bundled, never those of P0; updates wait; what people wait for (an
    escalation, an approval, what became of an action) goes out. The end of a bundled incident is bundled as well.
    """
    pace = _current(pace, now)
    is_full = pace.sent >= limit
    may_bundle = message.template in BUNDLED and message.priority != Priority.P0
    if message.template is Template.RESOLVED and message.bundle:
        begun = pace.bundles.get(Template.OPENED)
        if begun is not None and begun.key == message.bundle:
            smaller = replace(begun, size=begun.size - 1)
            left = replace(pace, bundles={**pace.bundles, Template.OPENED.value: smaller})
            return Passage(Way.DROP, left)
        if may_bundle:
            return _bundled(message, pace, now)
    if is_full and may_bundle:
        return _bundled(message, pace, now)
    if is_full and message.template in PATIENT:
        return Passage(Way.LATER, pace, delay_seconds=_rest(pace, now))
    return Passage(Way.SINGLE, replace(pace, sent=pace.sent + 1))


def close(pace: Pace, key: str, now: datetime) -> Pace:
    """The pace when the bundle `key` takes no more incidents. Its own message counts like any other."""
    left = {name: one for name, one in pace.bundles.items() if one.key != key}
    current = _current(pace, now)
    return replace(current, bundles=left, sent=current.sent + 1)


def bundle_key(channel: str, template: Template, at: datetime) -> str:
    """The key of the job that sends a bundle: its channel, what it tells of, when it was opened."""
    return f"bundle:{channel}:{template.value}:{at.astimezone(UTC):%Y%m%dT%H%M%S.%f}"


def _bundled(message: Message, pace: Pace, now: datetime) -> Passage:
    name = message.template.value
    begun = pace.bundles.get(name)
    opens = begun is None or begun.size >= LARGEST_BUNDLE
    if begun is None or opens:
        begun = OpenBundle(bundle_key(message.channel, message.template, now), 0)
    fuller = replace(begun, size=begun.size + 1)
    grown = replace(pace, bundles={**pace.bundles, name: fuller})
    return Passage(Way.BUNDLE, grown, key=begun.key, opens=opens, delay_seconds=FILLS_SECONDS)


def _current(pace: Pace, now: datetime) -> Pace:
    if pace.since is not None and 0 <= (now - pace.since).total_seconds() < WINDOW_SECONDS:
        return pace
    return replace(pace, since=now, sent=0)


def _rest(pace: Pace, now: datetime) -> float:
    assert pace.since is not None  # `_current` saw to it
    return max(1.0, WINDOW_SECONDS - (now - pace.since).total_seconds())

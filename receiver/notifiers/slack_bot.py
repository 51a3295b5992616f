"""Slack with an app's bot token: one message for each incident, kept up to date in place; what happens, in its thread.

Slack has no idempotency key. So each message carries metadata that names it, and where an earlier attempt may have
posted it, the bot looks for that before it posts again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from receiver.clock import as_utc
from receiver.domain.incident import Status, is_open
from receiver.domain.notification import Notification, Receipt, Template
from receiver.errors import DeliveryFailed
from receiver.logs import event_logger
from receiver.notifiers.plain_text import one_line
from receiver.notifiers.slack_api import SlackApi, SlackError
from receiver.notifiers.slack_blocks import payload
from receiver.notifiers.texts import SHIPPED_TEXTS, Texts, Wording

EVENT_TYPE = "alert_receiver_message"
# Replies that the whole channel should see: somebody is asked to act.
_LOUD = frozenset({Template.ESCALATED, Template.ACTION_FAILED, Template.APPROVAL_NEEDED, Template.REMINDER})
# Occasions that begin a message of their own.
_ALONE = frozenset({Template.OPENED, Template.TEST, Template.BUNDLE})
# The message for an occasion that needs no reply: the first message shows it.
_SHOWN_IN_PLACE = frozenset({Template.ACKNOWLEDGED})
# The first message cannot be changed any more, or is gone: what there is to say is said all the same.
_GONE = "message_not_found"
_UNCHANGEABLE = frozenset({_GONE, "cant_update_message", "edit_window_closed", "is_inactive"})
_THREADLESS = frozenset(
    {"thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked", _GONE}
)
# No looking is possible: then rather twice than never.
_BLIND = frozenset({"missing_scope", "no_permission", "not_in_channel", "channel_not_found", "access_denied"})
_PAGE = 100
_MOST_PAGES = 10
# Slack's clock is not this machine's.
_CLOCK_SKEW = timedelta(minutes=5)

_log = event_logger("notifiers")


class Place(NamedTuple):
    """A message of Slack's: its channel's id and its time, which is its name there."""

    channel: str
    ts: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.ts}"


class SlackBot:
    """Posts to `channel` (an id, or #name) through `api`. `name` is the channel's name in settings and rules."""

    templates = frozenset(Template) - {Template.TEST}

    def __init__(self, name: str, channel: str, api: SlackApi, texts: Texts = SHIPPED_TEXTS) -> None:
        self.name = str(name)
        self._channel = channel
        self._api = api
        self._texts = texts
        # What Slack calls the channel, once it has told: only posting takes a #name.
        self._channel_id = "" if channel.startswith("#") else channel

    def send(self, notification: Notification) -> Receipt:
        """Post one message, or change the first one of its incident, or both.

        First the change, which can be repeated, and then the post, which is the end of it: so no attempt that fails
        has posted anything, unless its outcome is unknown. Raises DeliveryFailed.
        """
        wording = self._texts.of(notification)
        root = None if notification.template in _ALONE else place_of(notification.thread_ref)
        refusal = self._update(root, notification, wording) if root else ""
        if root and not refusal and notification.template in _SHOWN_IN_PLACE:
            return Receipt(detail=wording.receipt("changed in place"), provider_ref=str(root))
        if refusal == _GONE:
            root = None
        found = self._look_for(notification, root, wording) if notification.may_have_been_sent else None
        if found is not None:
            return Receipt(detail=wording.receipt("it had been posted already"), provider_ref=str(found))
        posted = self._post(notification, root, wording)
        return Receipt(detail=wording.receipt("posted"), provider_ref=str(posted))

    def _post(self, n: Notification, root: Place | None, wording: Wording) -> Place:
        message = payload(n, wording) | {"channel": root.channel if root else self._channel}
        message["metadata"] = {"event_type": EVENT_TYPE, "event_payload": identity(self.name, n)}
        if root is not None:
            message |= {"thread_ts": root.ts, "reply_broadcast": n.template in _LOUD}
        try:
            answer = self._api.post("chat.postMessage", message)
        except SlackError as error:
            if root is None or error.word not in _THREADLESS:
                raise
            return self._post(n, None, wording)
        place = Place(str(answer.get("channel") or self._channel), str(answer.get("ts", "")))
        if root is None:
            self._channel_id = place.channel
        return place

    def _update(self, root: Place, n: Notification, wording: Wording) -> str:
        """Let the incident's first message show how it stands; empty, or Slack's word for why it cannot be changed.

        Without metadata in the request Slack keeps that of the message.
        """
        present = present_state(n)
        message = payload(present, wording.about(present))
        kept = {name: message[name] for name in ("text", "blocks", "attachments")}
        try:
            self._api.post("chat.update", {"channel": root.channel, "ts": root.ts, **kept})
        except SlackError as error:
            if error.word not in _UNCHANGEABLE:
                raise _before_posting(error, n) from None
            self._warn("slack.not_changed", n, error.word)
            return error.word
        except DeliveryFailed as failure:
            raise _before_posting(failure, n) from None
        return ""

    def _look_for(self, n: Notification, root: Place | None, wording: Wording) -> Place | None:
        """The message `n`, if an earlier attempt has posted it."""
        channel = root.channel if root else self._channel_id
        if not channel:
            wording.notes.append(
                "an earlier copy could not be looked for: set RECEIVER_SLACK_CHANNEL to an id"
            )
            return None
        wanted = identity(self.name, n)
        try:
            for message in self._messages(n, channel, root):
                metadata = message.get("metadata")
                if isinstance(metadata, dict) and _names(metadata, wanted):
                    return Place(channel, str(message.get("ts", "")))
        except SlackError as error:
            if error.word not in _BLIND:
                raise _before_posting(error, n) from None
            self._warn("slack.not_looked_for", n, error.word)
            wording.notes.append(f"an earlier copy could not be looked for: {error.word}")
        except DeliveryFailed as failure:
            raise _before_posting(failure, n) from None
        return None

    def _messages(self, n: Notification, channel: str, root: Place | None) -> Iterator[dict[str, Any]]:
        """Those of the thread, or of the channel since the incident opened; not without end."""
        oldest = as_utc(n.opened_at) - _CLOCK_SKEW
        arguments = {
            "channel": channel,
            "include_all_metadata": "true",
            "limit": str(_PAGE),
            "oldest": f"{oldest.timestamp():.6f}",
        }
        method = "conversations.history"
        if root is not None:
            method = "conversations.replies"
            arguments["ts"] = root.ts
        for _ in range(_MOST_PAGES):
            answer = self._api.get(method, arguments)
            messages = answer.get("messages")
            yield from (
                (one for one in messages if isinstance(one, dict)) if isinstance(messages, list) else ()
            )
            following = (answer.get("response_metadata") or {}).get("next_cursor")
            if not following:
                return
            arguments["cursor"] = str(following)

    def _warn(self, event: str, n: Notification, word: str) -> None:
        _log.warning(event, extra={"channel": self.name, "incident_id": n.incident_id, "reason": word})


def place_of(reference: str) -> Place | None:
    """The message that a receipt names as `channel:ts`; None where it names none (an incoming webhook's)."""
    channel, _, ts = reference.partition(":")
    return Place(channel, ts) if channel and ts else None


def identity(channel: str, n: Notification) -> dict[str, str | int]:
    """What names a message, in its metadata: the same whenever it is sent."""
    found: dict[str, str | int] = {
        "incident_id": one_line(n.incident_id, 64),
        "template": n.template.value,
        "sequence": n.sequence,
        "channel": channel,
    }
    if n.action_id:
        found["action_id"] = one_line(n.action_id, 64)
    if n.template is Template.TEST:  # each test is another message
        found["sequence"] = int(as_utc(n.opened_at).timestamp())
    return found


def present_state(n: Notification) -> Notification:
    """The incident as it stands, for its first message: what happened on the way stands in the thread."""
    template = Template.OPENED if is_open(n.status) else Template.RESOLVED
    if n.status == Status.ACKNOWLEDGED:
        template = Template.ACKNOWLEDGED
    return replace(n, template=template, changes=(), details=(), diagnostics=(), action_id="")


def _names(metadata: dict[str, Any], wanted: dict[str, str | int]) -> bool:
    found = metadata.get("event_payload")
    # Compared as text: Slack is free to give a number back as one or the other.
    return (
        metadata.get("event_type") == EVENT_TYPE
        and isinstance(found, dict)
        and all(str(found.get(name)) == str(value) for name, value in wanted.items())
    )


def _before_posting(failure: DeliveryFailed, n: Notification) -> DeliveryFailed:
    """The failure of an attempt that has not come to its post: what it did before can be repeated without harm.

    So whether the message stands there is known as well as before, whatever became of the request that failed.
    """
    return DeliveryFailed(
        failure.reason,
        permanent=failure.permanent,
        retry_after_seconds=failure.retry_after_seconds,
        outcome_unknown=n.may_have_been_sent,
        http_status=failure.http_status,
    )

"""Slack by incoming webhook: posts the message and understands what Slack answers."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.domain.notification import Notification, Receipt, Template
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, Response, failure_of
from receiver.notifiers.slack_blocks import payload
from receiver.notifiers.texts import SHIPPED_TEXTS, Texts


class SlackWebhook:
    """Posts to the channel that belongs to `url`, which is a secret: whoever knows it can post there."""

    name = "slack"
    # No acknowledgements: whoever acknowledged knows it, and an incoming webhook cannot change an earlier message.
    templates = frozenset(Template) - {Template.TEST, Template.ACKNOWLEDGED}

    def __init__(self, url: str, http: HttpClient, texts: Texts = SHIPPED_TEXTS) -> None:
        self._url = url
        self._http = http
        self._texts = texts

    def send(self, notification: Notification) -> Receipt:
        """Post one message. Slack knows no idempotency key: sent twice, it stands there twice.

        Raises DeliveryFailed.
        """
        wording = self._texts.of(notification)
        response = self._http.post_json(self._url, payload(notification, wording), judge=verdict)
        return Receipt(detail=wording.receipt(response.text.strip()))


@dataclass(frozen=True, slots=True)
class _Error:
    meaning: str
    permanent: bool = True


_NEW_WEBHOOK = "create a new webhook and set RECEIVER_SLACK_WEBHOOK_URL to it"
_OUR_FAULT = "Slack does not take this message as it is; please report it"

# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors, and those seen besides.
_ERRORS = {
    "invalid_payload": _Error(_OUR_FAULT),
    "invalid_blocks": _Error(_OUR_FAULT),
    "invalid_blocks_format": _Error(_OUR_FAULT),
    "invalid_attachments": _Error(_OUR_FAULT),
    "msg_blocks_too_long": _Error(_OUR_FAULT),
    "too_many_attachments": _Error(_OUR_FAULT),
    "no_text": _Error(_OUR_FAULT),
    "missing_text_or_fallback_or_attachments": _Error(_OUR_FAULT),
    "user_not_found": _Error(f"the webhook's user does not exist; {_NEW_WEBHOOK}"),
    "channel_not_found": _Error(f"the webhook's channel does not exist; {_NEW_WEBHOOK}"),
    "channel_is_archived": _Error("the webhook's channel is archived; unarchive it or choose another"),
    "action_prohibited": _Error("the workspace's administrators do not allow this webhook to post"),
    "posting_to_general_channel_denied": _Error(
        "this webhook may not post to #general; choose another channel"
    ),
    "no_service": _Error(f"the webhook is disabled, removed or wrong; {_NEW_WEBHOOK}"),
    "no_service_id": _Error(f"the webhook's address is not complete; {_NEW_WEBHOOK}"),
    "no_active_hooks": _Error(f"the webhook is disabled; {_NEW_WEBHOOK}"),
    "invalid_token": _Error(f"the webhook's address is wrong or has expired; {_NEW_WEBHOOK}"),
    "no_team": _Error(f"the workspace does not exist; {_NEW_WEBHOOK}"),
    "team_disabled": _Error("the workspace is not active any more"),
    "rollup_error": _Error("a fault of Slack's", permanent=False),
}


def verdict(response: Response) -> DeliveryFailed | None:
    """What Slack's answer means: None for 200 `ok`, else the failure with Slack's own word for it.

    The word decides, and the status where it is not a known one. 2xx with another body is a failure that trying again
    will not mend: what answers there is no incoming webhook of Slack's, and it may have taken the message all the same.
    """
    word = response.text.strip()
    if response.status == 200 and word == "ok":
        return None
    if word in _ERRORS:
        known = _ERRORS[word]
        return DeliveryFailed(
            f"Slack says {word} (HTTP {response.status}): {known.meaning}",
            permanent=known.permanent,
            retry_after_seconds=None if known.permanent else response.retry_after_seconds,
            http_status=response.status,
        )
    if response.is_success:
        return DeliveryFailed(
            f"HTTP {response.status}, but with `{response.excerpt()}` instead of `ok`: is RECEIVER_SLACK_WEBHOOK_URL"
            " the address of a Slack incoming webhook?",
            permanent=True,
            outcome_unknown=True,
            http_status=response.status,
        )
    return failure_of(response)

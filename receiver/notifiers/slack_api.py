"""Slack's Web API: one method call, and what its answer means. https://docs.slack.dev/apis/web-api"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, Response, failure_of

# A page of messages with their blocks, in ASCII; a message that was posted comes back as well.
_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024


class SlackError(DeliveryFailed):
    """A refusal in Slack's own word, `word`; as a failure it says what the word means."""

    def __init__(self, word: str, response: Response, needed: str = "") -> None:
        known = ERRORS.get(word, _Error("Slack does not say more"))
        self.word = word if word in ERRORS else ""
        what = response.quote(f"{word} ({needed})" if needed else word)
        super().__init__(
            f"Slack says {what}: {known.meaning}",
            permanent=known.permanent,
            retry_after_seconds=None if known.permanent else response.retry_after_seconds,
            outcome_unknown=known.outcome_unknown,
            http_status=response.status,
        )


class SlackApi:
    """Calls methods with `token`, which is a secret."""

    def __init__(self, url: str, token: str, http: HttpClient) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http

    def post(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a method that changes something, with JSON; its answer. Raises DeliveryFailed, or SlackError."""
        return self._call("POST", f"{self._url}/{method}", dict(arguments))

    def get(self, method: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        """Call a method that reads; not all of them take JSON. Raises DeliveryFailed, or SlackError."""
        return self._call("GET", f"{self._url}/{method}?{urlencode(arguments)}")

    def whoami(self) -> str:
        """Who the token belongs to, in which workspace; posts nothing. Raises DeliveryFailed, or SlackError."""
        answer = self.post("auth.test", {})
        return f"{answer.get('user', 'somebody')} in {answer.get('team', 'some workspace')}"

    def _call(self, verb: str, url: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._http.request(
            verb, url, payload=payload, headers=self._headers, largest_body_bytes=_LARGEST_ANSWER_BYTES
        )
        return _answer(response)


@dataclass(frozen=True, slots=True)
class _Error:
    meaning: str
    permanent: bool = True
    outcome_unknown: bool = False


_REINSTALL = "set RECEIVER_SLACK_BOT_TOKEN to the Bot User OAuth Token of an app that is installed"
_SCOPES = "give the app its scopes (docs/channels.md) and install it again"
_CHANNEL = "check the channel's id or name, and invite the app there"
_OUR_FAULT = "Slack does not take this message as it is; please report it"
_THEIR_FAULT = "a fault of Slack's"

# The errors of chat.postMessage, chat.update, conversations.history, conversations.replies and auth.test:
# https://docs.slack.dev/reference/methods/chat.postMessage#errors and the like. Of internal_error and fatal_error it
# says there that some aspect of the operation may have succeeded.
ERRORS: Mapping[str, _Error] = {
    "ratelimited": _Error("too many messages at once", permanent=False),
    "rate_limited": _Error("too many messages at once", permanent=False),
    "message_limit_exceeded": _Error("the workspace sends too many messages", permanent=False),
    "internal_error": _Error(_THEIR_FAULT, permanent=False, outcome_unknown=True),
    "fatal_error": _Error(_THEIR_FAULT, permanent=False, outcome_unknown=True),
    "service_unavailable": _Error(_THEIR_FAULT, permanent=False),
    "request_timeout": _Error("the request did not arrive whole", permanent=False),
    "team_added_to_org": _Error("the workspace is being moved", permanent=False),
    "org_login_required": _Error("the workspace is being moved", permanent=False),
    "not_authed": _Error(f"no token came; {_REINSTALL}"),
    "invalid_auth": _Error(f"the token is wrong; {_REINSTALL}"),
    "account_inactive": _Error(f"the app has been removed; {_REINSTALL}"),
    "token_revoked": _Error(f"the token has been revoked; {_REINSTALL}"),
    "token_expired": _Error(f"the token has expired; {_REINSTALL}"),
    "not_allowed_token_type": _Error(f"the token is of the wrong kind; {_REINSTALL}"),
    "missing_scope": _Error(f"the app may not do this; {_SCOPES}"),
    "no_permission": _Error(f"the app may not do this; {_SCOPES}"),
    "access_denied": _Error("the app may not do this here"),
    "ekm_access_denied": _Error("the workspace's administrators have suspended posting"),
    "team_access_not_granted": _Error("the app is not allowed in this workspace"),
    "enterprise_is_restricted": _Error("the app is not allowed in this organisation"),
    "not_in_channel": _Error("the app is not in the channel; /invite it there"),
    "channel_not_found": _Error(f"there is no such channel, or the app cannot see it; {_CHANNEL}"),
    "is_inactive": _Error("the channel is archived or frozen"),
    "is_archived": _Error("the channel is archived; unarchive it or choose another"),
    "restricted_action": _Error("the workspace does not allow the app to post there"),
    "restricted_action_read_only_channel": _Error("the channel is read-only"),
    "restricted_action_thread_only_channel": _Error("the channel takes threads only"),
    "restricted_action_non_threadable_channel": _Error("the channel has no threads"),
    "restricted_action_thread_locked": _Error("the thread is locked"),
    "cannot_reply_to_message": _Error("the incident's first message takes no replies"),
    "thread_not_found": _Error("the incident's first message is gone"),
    "message_not_found": _Error("the incident's first message is gone"),
    "cant_update_message": _Error("the incident's first message is another app's"),
    "edit_window_closed": _Error("the workspace does not allow messages of this age to be changed"),
    "msg_too_long": _Error(_OUR_FAULT),
    "msg_blocks_too_long": _Error(_OUR_FAULT),
    "no_text": _Error(_OUR_FAULT),
    "invalid_blocks": _Error(_OUR_FAULT),
    "invalid_blocks_format": _Error(_OUR_FAULT),
    "invalid_attachments": _Error(_OUR_FAULT),
    "too_many_attachments": _Error(_OUR_FAULT),
    "metadata_too_large": _Error(_OUR_FAULT),
    "invalid_metadata_format": _Error(_OUR_FAULT),
    "invalid_arguments": _Error(_OUR_FAULT),
    "invalid_json": _Error(_OUR_FAULT),
    "markdown_text_conflict": _Error(_OUR_FAULT),
    "duplicate_message_not_found": _Error(_OUR_FAULT),
    "duplicate_channel_not_found": _Error(_OUR_FAULT),
}


def _answer(response: Response) -> dict[str, Any]:
    """The body of a success. Raises SlackError where Slack gives a word, else what the status means."""
    body = _json(response.text)
    word = body.get("error")
    if isinstance(word, str) and body.get("ok") is False and (word in ERRORS or response.is_success):
        raise SlackError(word, response, str(body.get("needed") or ""))
    failure = failure_of(response)
    if failure is not None:
        raise failure
    if body.get("ok") is not True:
        raise DeliveryFailed(
            f"HTTP {response.status}, but with `{response.excerpt()}` instead of an answer of Slack's: is"
            " RECEIVER_SLACK_API_URL the address of its Web API?",
            permanent=True,
            outcome_unknown=True,
            http_status=response.status,
        )
    return body


def _json(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}

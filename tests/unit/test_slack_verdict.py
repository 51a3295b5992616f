"""What Slack's answers mean: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors."""

from __future__ import annotations

import pytest

from receiver.httpclient import Response
from receiver.notifiers.slack import verdict


@pytest.mark.parametrize("body", ["ok", "ok\n"])
def test_ok_is_ok(body):
    assert verdict(Response(200, {}, body)) is None


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "invalid_payload"),
        (400, "user_not_found"),
        (400, "no_text"),
        (400, "too_many_attachments"),
        (400, "invalid_blocks"),
        (400, "invalid_attachments"),
        (403, "action_prohibited"),
        (403, "posting_to_general_channel_denied"),
        (403, "invalid_token"),
        (404, "channel_not_found"),
        (404, "no_service"),
        (404, "no_team"),
        (404, "no_active_hooks"),
        (410, "channel_is_archived"),
        (500, "no_service"),
    ],
)
def test_what_only_people_can_mend_is_permanent_and_told_in_slacks_word(status, word):
    failure = verdict(Response(status, {}, word + "\n"))
    assert failure is not None
    assert failure.permanent
    assert failure.http_status == status
    assert failure.reason.startswith(f"Slack says {word} (HTTP {status}): ")


@pytest.mark.parametrize(
    ("status", "word"),
    [(500, "rollup_error"), (500, "internal_error"), (503, ""), (429, "rate_limited"), (408, "timeout")],
)
def test_what_passes_is_tried_again(status, word):
    failure = verdict(Response(status, {}, word, retry_after_seconds=9))
    assert failure is not None
    assert not failure.permanent
    assert failure.retry_after_seconds == 9
    assert word in failure.reason


@pytest.mark.parametrize("body", ["", "OK", "not ok", '{"ok":true}', "okay", "<html>Please sign in</html>"])
def test_a_success_that_is_not_ok_is_a_failure_that_says_what_came(body):
    failure = verdict(Response(200, {}, body))
    assert failure is not None
    assert failure.permanent
    assert failure.outcome_unknown
    assert "instead of `ok`" in failure.reason
    assert "RECEIVER_SLACK_WEBHOOK_URL" in failure.reason


def test_an_unknown_word_is_judged_by_its_status():
    failure = verdict(Response(418, {}, "i_am_a_teapot"))
    assert failure is not None
    assert failure.permanent
    assert failure.reason == "HTTP 418: i_am_a_teapot"

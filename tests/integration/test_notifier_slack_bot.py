"""Slack with a bot token: one message for an incident, kept up to date; the rest in its thread; nothing twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from receiver.config import load
from receiver.domain.channel import ChannelSpec, Kind
from receiver.domain.notification import Notification, Template
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.notifiers.base import Notifier
from receiver.notifiers.registry import build_notifiers
from receiver.notifiers.slack_api import ERRORS
from tests.builders.notifications import BY_TEMPLATE, FIRING, NOW
from tests.fakes.leaks import told
from tests.fakes.slack import DROP, LOST, SERVER_ERROR, Answer, hang
from tests.fakes.slack_rules import problems
from tests.fakes.slack_web import CHANNEL, CHANNEL_NAME, OTHER_CHANNEL, TOKEN, SlackWeb, refusal, too_fast

HASTY = HttpClient(1, 0.4, 5)


@pytest.fixture
def web() -> Iterator[SlackWeb]:
    with SlackWeb(clock=lambda: (NOW + timedelta(minutes=20)).timestamp()) as server:
        yield server


def bot(web: SlackWeb, channel: str = CHANNEL, token: str = TOKEN) -> Notifier:
    settings = {"SLACK_BOT_TOKEN": token, "SLACK_CHANNEL": channel, "SLACK_API_URL": web.api_url}
    return build_notifiers(load({f"RECEIVER_{name}": text for name, text in settings.items()}), HASTY)[
        "slack"
    ]


def later(template: Template, reference: str, **more: object) -> Notification:
    return replace(BY_TEMPLATE[template], thread_ref=reference, **more)  # type: ignore[arg-type]  # any field


def failure(notifier: Notifier, message: Notification = FIRING) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        notifier.send(message)
    assert TOKEN not in told(caught.value)
    return caught.value


def header(message: dict[str, object]) -> str:
    blocks = message["blocks"]
    assert isinstance(blocks, list)
    return str(blocks[0]["text"]["text"])


def test_the_first_message_is_posted_once_and_names_itself(web):
    receipt = bot(web).send(FIRING)
    (message,) = web.posted()
    assert receipt.provider_ref == f"{CHANNEL}:{message['ts']}"
    assert message["metadata"] == {
        "event_type": "alert_receiver_message",
        "event_payload": {
            "incident_id": FIRING.incident_id,
            "template": "opened",
            "sequence": 0,
            "channel": "slack",
        },
    }
    assert header(message) == "🔴 P0 · INC-4711 · Größe of 日本 is over 9000 🔥"
    assert [call.headers["Authorization"] for call in web.calls()] == [f"Bearer {TOKEN}"]


def test_the_first_message_always_shows_how_the_incident_stands(web):
    slack = bot(web)
    reference = slack.send(FIRING).provider_ref
    shown = []
    for template in (Template.UPDATED, Template.ACKNOWLEDGED, Template.DIAGNOSED, Template.RESOLVED):
        slack.send(later(template, reference))
        shown.append(header(web.posted(threads=False)[0]).partition(" · ")[0])
    assert shown == ["🔴 P0", "👀 Acknowledged", "🔴 P0", "✅ Resolved"]
    (first,) = web.posted(threads=False)
    assert first["metadata"]["event_payload"]["template"] == "opened"


def test_what_happens_stands_in_the_thread_and_an_acknowledgement_in_the_message_alone(web):
    slack = bot(web)
    reference = slack.send(FIRING).provider_ref
    for template in (Template.UPDATED, Template.ACKNOWLEDGED, Template.ACTION_COMPLETED, Template.RESOLVED):
        receipt = slack.send(later(template, reference))
        assert (receipt.provider_ref == reference) == (template is Template.ACKNOWLEDGED)
    heads = [header(reply).partition(" · ")[0] for reply in web.replies()]
    assert heads == ["🔴 Update", "🔧 Action done", "✅ Resolved"]
    assert {reply["thread_ts"] for reply in web.replies()} == {reference.partition(":")[2]}


@pytest.mark.parametrize(
    "template", sorted(set(Template) - {Template.TEST, Template.BUNDLE, Template.OPENED})
)
def test_the_channel_sees_the_replies_that_ask_somebody_to_act(web, template):
    slack = bot(web)
    slack.send(later(template, slack.send(FIRING).provider_ref))
    asks = template in ("escalated", "action_failed", "approval_needed", "reminder")
    assert [reply["reply_broadcast"] for reply in web.replies()] == (
        [] if template == "acknowledged" else [asks]
    )


@pytest.mark.parametrize("reference", ["", "no-reference", ":", "C1:"])
def test_without_a_first_message_of_its_own_each_message_stands_alone(web, reference):
    bot(web).send(later(Template.ESCALATED, reference))
    bot(web).send(later(Template.ACKNOWLEDGED, reference))
    assert len(web.posted()) == 2
    assert web.replies() == []
    assert web.calls("chat.update") == []


@pytest.mark.parametrize("template", Template)
def test_slack_takes_each_message_and_each_change(web, template):
    slack = bot(web)
    reference = slack.send(FIRING).provider_ref
    slack.send(later(template, reference))
    for call in web.calls():
        sent = {"unfurl_links": False, "unfurl_media": False} | call.json
        for name in ("channel", "metadata", "thread_ts", "reply_broadcast", "ts"):
            sent.pop(name, None)
        assert problems(sent) == []


@pytest.mark.parametrize("trouble", [LOST, replace(LOST, drop=False, status=500, body="oops")])
def test_a_message_whose_answer_was_lost_is_found_and_not_posted_again(web, trouble):
    web.answer_to("chat.postMessage", trouble)
    error = failure(bot(web))
    assert (error.permanent, error.outcome_unknown) == (False, trouble.drop)
    web.chatter(150)  # more than a page
    receipt = bot(web).send(replace(FIRING, may_have_been_sent=True))
    first, *others = web.posted()
    assert receipt.provider_ref == f"{CHANNEL}:{first['ts']}"
    assert "already" in receipt.detail
    assert all("metadata" not in other for other in others)


def test_a_reply_whose_answer_was_lost_is_found_in_its_thread(web):
    slack = bot(web)
    reference = slack.send(FIRING).provider_ref
    slack.send(later(Template.UPDATED, reference, sequence=1))
    web.answer_to("chat.postMessage", LOST)
    failure(slack, later(Template.UPDATED, reference, sequence=2))
    receipt = slack.send(later(Template.UPDATED, reference, sequence=2, may_have_been_sent=True))
    assert [reply["metadata"]["event_payload"]["sequence"] for reply in web.replies()] == [1, 2]
    assert receipt.provider_ref == f"{CHANNEL}:{web.replies()[1]['ts']}"


def test_a_message_that_was_not_posted_is_posted_after_looking(web):
    web.answer_to("chat.postMessage", DROP)
    assert failure(bot(web)).outcome_unknown
    bot(web).send(replace(FIRING, may_have_been_sent=True))
    assert len(web.posted()) == 1
    assert len(web.calls("conversations.history")) == 1


def test_a_message_of_another_channel_or_occasion_is_not_taken_for_it(web):
    slack = bot(web)
    slack.send(FIRING)
    slack.send(replace(FIRING, incident_id="INC-20261121030000-fedcba9876543210", may_have_been_sent=True))
    slack.send(replace(BY_TEMPLATE[Template.ESCALATED], may_have_been_sent=True))
    slack.send(replace(BY_TEMPLATE[Template.ESCALATED], sequence=2, may_have_been_sent=True))
    assert len(web.posted()) == 4


@pytest.mark.parametrize("trouble", [SERVER_ERROR, hang(30), too_fast(7)])
def test_while_it_cannot_look_it_does_not_post_and_stays_in_doubt(web, trouble):
    web.answer_to("conversations.history", trouble)
    error = failure(bot(web), replace(FIRING, may_have_been_sent=True))
    assert (error.permanent, error.outcome_unknown) == (False, True)
    assert web.calls("chat.") == []


def test_an_app_that_may_not_look_posts_rather_twice_than_never_and_says_so(web):
    web.answer_to("conversations.history", refusal("missing_scope", needed="channels:history"))
    receipt = bot(web).send(replace(FIRING, may_have_been_sent=True))
    assert len(web.posted()) == 1
    assert "missing_scope" in receipt.detail


def test_a_channel_given_by_name_is_looked_into_once_its_id_is_known(web):
    slack = bot(web, CHANNEL_NAME)
    receipt = slack.send(replace(FIRING, may_have_been_sent=True))
    assert "RECEIVER_SLACK_CHANNEL" in receipt.detail
    again = slack.send(replace(FIRING, may_have_been_sent=True))
    assert again.provider_ref == receipt.provider_ref == f"{CHANNEL}:{web.posted()[0]['ts']}"


@pytest.mark.parametrize("trouble", [SERVER_ERROR, refusal("internal_error"), too_fast(3)])
def test_a_change_that_fails_for_now_is_repeated_with_its_reply_and_nothing_stands_twice(web, trouble):
    slack = bot(web)
    message = later(Template.UPDATED, slack.send(FIRING).provider_ref)
    web.answer_to("chat.update", trouble)
    error = failure(slack, message)
    assert (error.permanent, error.outcome_unknown) == (False, False)
    slack.send(message)
    assert len(web.replies()) == 1


def test_what_there_is_to_say_is_said_although_the_first_message_cannot_be_changed(web):
    slack = bot(web)
    reference = slack.send(FIRING).provider_ref
    web.answer_to("chat.update", refusal("edit_window_closed"), refusal("cant_update_message"))
    slack.send(later(Template.RESOLVED, reference))
    slack.send(later(Template.ACKNOWLEDGED, reference))
    assert [header(reply).partition(" · ")[0] for reply in web.replies()] == [
        "✅ Resolved",
        "👀 Acknowledged",
    ]


def test_what_there_is_to_say_is_said_although_somebody_has_deleted_the_first_message(web):
    slack = bot(web)
    slack.send(later(Template.RESOLVED, f"{CHANNEL}:1.000001"))
    assert [header(message).partition(" · ")[0] for message in web.posted(threads=False)] == ["✅ Resolved"]


@pytest.mark.parametrize("word", sorted(ERRORS))
def test_each_word_of_slacks_is_decided_and_explained(web, word):
    passing = {
        "ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error",
        "service_unavailable", "request_timeout", "team_added_to_org", "org_login_required",
    }  # fmt: skip
    web.answer_to("chat.postMessage", refusal(word))
    error = failure(bot(web))
    assert error.permanent == (word not in passing)
    # Slack says of these two that part of the request may have been carried out.
    assert error.outcome_unknown == (word in ("internal_error", "fatal_error"))
    assert error.reason.startswith(f"Slack says {word}: ")


def test_a_word_that_nobody_knows_is_permanent_and_told(web):
    web.answer_to("chat.postMessage", refusal("no_unicorns"))
    error = failure(bot(web))
    assert (error.permanent, error.reason) == (True, "Slack says no_unicorns: Slack does not say more")


def test_a_missing_scope_is_named(web):
    web.answer_to("chat.postMessage", refusal("missing_scope", needed="chat:write"))
    assert "missing_scope (chat:write)" in failure(bot(web)).reason


def test_a_wish_to_wait_is_handed_on(web):
    web.answer_to("chat.postMessage", too_fast(17))
    error = failure(bot(web))
    assert (error.permanent, error.retry_after_seconds, error.http_status) == (False, 17, 429)


def test_a_wrong_token_is_permanent_and_not_told(web):
    error = failure(bot(web, token="xoxb-another-secret"))
    assert error.permanent
    assert "RECEIVER_SLACK_BOT_TOKEN" in error.reason


@pytest.mark.parametrize("body", ["ok", "{}", "[]", "<html>Sign in</html>", '{"ok": "yes"}', "[" * 100_000])
def test_a_success_that_is_not_slacks_names_the_setting(web, body):
    web.answer_to("chat.postMessage", Answer(200, body))
    error = failure(bot(web))
    assert (error.permanent, error.outcome_unknown) == (True, True)
    assert "RECEIVER_SLACK_API_URL" in error.reason


def test_a_channel_of_the_rules_file_is_another_place_of_the_same_app(web):
    settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL, "SLACK_API_URL": web.api_url}
    named = {"db-team": ChannelSpec("db-team", Kind.SLACK, (OTHER_CHANNEL,))}
    loaded = load({f"RECEIVER_{name}": text for name, text in settings.items()})
    found = build_notifiers(loaded, named=named)
    assert list(found) == ["slack", "db-team"]
    found["slack"].send(FIRING)
    receipt = found["db-team"].send(replace(FIRING, may_have_been_sent=True))
    (message,) = web.posted(OTHER_CHANNEL)
    assert receipt.provider_ref == f"{OTHER_CHANNEL}:{message['ts']}"
    assert message["metadata"]["event_payload"]["channel"] == "db-team"


def test_an_answer_as_long_as_slacks_are_is_understood(web):
    slack = bot(web)
    long = {"ok": True, "channel": CHANNEL, "ts": "1.2", "message": "é" * 50_000}
    web.answer_to("chat.postMessage", Answer(200, json.dumps(long)))
    assert slack.send(FIRING).provider_ref == f"{CHANNEL}:1.2"


def test_what_it_logs_names_no_secret(web, caplog):
    slack = bot(web)
    reference = slack.send(FIRING).provider_ref
    web.answer_to("chat.update", refusal("edit_window_closed"))
    with caplog.at_level(logging.DEBUG):
        slack.send(later(Template.UPDATED, reference))
    assert [record.getMessage() for record in caplog.records if record.name == "receiver.notifiers"] == [
        "slack.not_changed"
    ]
    assert TOKEN not in caplog.text

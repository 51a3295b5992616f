"""What every channel promises: a message is sent once, or fails with the right decision in the error and no secret.

A new channel gets a counterpart in tests/fakes/counterparts.py. Each test runs for each of them, against a real server
on 127.0.0.1. What only HTTP has (statuses, headers, redirects) is in test_notifier_http.py.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from receiver.config import load
from receiver.domain.notification import Notification, Template
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.notifiers.apprise import Apprise
from receiver.notifiers.base import Notifier
from receiver.notifiers.email import Email
from receiver.notifiers.pagerduty import PagerDuty
from receiver.notifiers.registry import WANTED, build_notifiers, hearing
from receiver.notifiers.slack import SlackWebhook
from receiver.notifiers.slack_bot import SlackBot
from receiver.notifiers.webhook import Webhook
from receiver.smtpclient import SmtpClient
from tests.builders.notifications import BY_TEMPLATE, FIRING, HOSTILE, HUGE
from tests.fakes.counterparts import ALL, TOGETHER, Counterpart
from tests.fakes.leaks import told
from tests.fakes.ports import free_port
from tests.fakes.raw_http import RawServer

HASTY = (1, 0.4, 5)  # seconds to connect, to read, altogether
BOUNDED = (2, 2, 0.5)
PATIENT = (5, 10, 20)


@pytest.fixture(params=sorted(ALL))
def service(request: pytest.FixtureRequest) -> Iterator[Counterpart]:
    """The other side: takes messages, or does not, as it is told."""
    with ALL[request.param]() as counterpart:
        yield counterpart


@pytest.fixture
def channel(service: Counterpart) -> str:
    return service.channel


def environ(settings: dict[str, str]) -> dict[str, str]:
    return {f"RECEIVER_{name}": value for name, value in settings.items()}


def notifier(channel: str, service: Counterpart, limits=PATIENT, port: int | None = None) -> Notifier:
    settings = load(environ(service.settings(port or service.port)))
    found = build_notifiers(settings, HttpClient(*limits), SmtpClient(*limits))
    assert tuple(found) == settings.channels == (channel,)
    return found[channel]


def failure(
    channel: str,
    service: Counterpart,
    limits=PATIENT,
    port: int | None = None,
    message: Notification = FIRING,
) -> DeliveryFailed:
    """The failure of sending, after a look at what it would tell a log."""
    with pytest.raises(DeliveryFailed) as caught:
        notifier(channel, service, limits, port).send(message)
    text = told(caught.value)
    for secret in (*service.secrets, "127.0.0.1"):
        assert secret not in text, "the error tells a secret"
    return caught.value


def test_every_registered_channel_is_tested_here_and_has_a_setting():
    settings: dict[str, str] = {}
    for name in TOGETHER:
        with ALL[name]() as service:
            settings |= service.settings(1)
    loaded = load(environ(settings))
    every = build_notifiers(loaded)
    assert set(every) == set(hearing(loaded)) == set(loaded.channels) == {*WANTED, "teams"}
    assert {type(one) for one in every.values()} | {SlackBot} == {
        SlackWebhook, SlackBot, PagerDuty, Email, Webhook, Apprise
    }  # fmt: skip
    assert set(ALL) == {*TOGETHER, "slack-bot"}


def test_a_channel_that_is_not_set_up_does_not_exist():
    assert build_notifiers(load({})) == {}


def test_a_channel_has_its_registered_name_and_hears_of_what_it_says(channel, service):
    found = notifier(channel, service)
    assert found.name == channel
    assert found.templates == hearing(load(environ(service.settings(service.port))))[channel]
    assert found.templates >= {Template.OPENED, Template.UPDATED, Template.RESOLVED, Template.ESCALATED}
    assert Template.TEST not in found.templates


def speaks_of(channel: str, template: Template) -> bool:
    """Whether a channel has a message for the occasion; every one but PagerDuty has one for each."""
    return channel != "pagerduty" or template in {*WANTED["pagerduty"], Template.TEST}


@pytest.mark.parametrize("template", Template)
def test_each_occasion_is_one_message_with_a_receipt(channel, service, template):
    if not speaks_of(channel, template):
        error = failure(channel, service, message=BY_TEMPLATE[template])
        assert (error.permanent, error.outcome_unknown, service.attempts()) == (True, False, 0)
        return
    receipt = notifier(channel, service).send(BY_TEMPLATE[template])
    assert receipt.detail
    assert (service.attempts(), len(service.texts())) == (1, 1)


@pytest.mark.parametrize("template", sorted(set(Template) - {Template.TEST}))
def test_a_message_names_its_incident_and_keeps_every_script(channel, service, template):
    if not speaks_of(channel, template):
        return
    notifier(channel, service).send(BY_TEMPLATE[template])
    (text,) = service.texts()
    assert "INC-4711" in text
    assert "INC-20261121030000-0123456789abcdef" in text or template is Template.BUNDLE
    assert "Größe of 日本 is over 9000 🔥" in text


@pytest.mark.parametrize("template", sorted(set(Template) - {Template.TEST}))
def test_what_the_occasion_is_about_is_told(channel, service, template):
    if not speaks_of(channel, template):
        return
    message = BY_TEMPLATE[template]
    notifier(channel, service).send(message)
    (text,) = service.texts()
    news = [*message.details, *message.diagnostics, *(one.title for one in message.incidents)]
    for line in news:
        assert line in text
    if template is Template.APPROVAL_NEEDED:
        assert "ACT-0123456789abcdef01234567" in text


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("message", [HOSTILE, HUGE], ids=["hostile", "huge"])
def test_texts_of_any_kind_and_length_arrive(channel, service, message, template):
    if not speaks_of(channel, template):
        return
    notifier(channel, service).send(replace(message, template=template))
    (text,) = service.texts()
    assert len(text.encode()) < 64 * 1024
    assert "javascript:" not in text
    assert "u:p@h.example" not in text
    assert not {"\x00", "\u202e", "\ud800"} & set(text)


def test_one_notifier_serves_many_threads(channel, service):
    shared = notifier(channel, service)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(shared.send, [replace(FIRING, number=number) for number in range(100, 132)]))
    texts = service.texts()
    assert len(texts) == 32
    assert sorted(n for n in range(100, 132) for text in texts if f"INC-{n}" in text) == list(range(100, 132))


def test_a_refusal_is_permanent_told_in_the_others_words_and_not_repeated(channel, service):
    service.refuse("no_such_thing")
    error = failure(channel, service)
    assert (error.permanent, error.outcome_unknown) == (True, False)
    assert "no_such_thing" in error.reason
    assert service.attempts() == 1


def test_a_passing_trouble_is_transient_and_left_to_the_queue(channel, service):
    service.put_off("come back later")
    error = failure(channel, service)
    assert (error.permanent, error.outcome_unknown) == (False, False)
    assert "come back later" in error.reason
    assert service.attempts() == 1


def test_after_a_failure_the_next_message_goes_through(channel, service):
    service.put_off("later")
    failure(channel, service)
    assert notifier(channel, service).send(FIRING).detail
    assert len(service.texts()) == 1


def test_a_service_that_is_away_got_nothing(channel, service):
    error = failure(channel, service, HASTY, free_port())
    assert (error.permanent, error.outcome_unknown) == (False, False)
    assert "refused" in error.reason


@pytest.mark.parametrize("trouble", ["hang", "drop"])
def test_without_an_answer_the_outcome_is_open(channel, service, trouble):
    getattr(service, trouble)()
    error = failure(channel, service, HASTY)
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_service_that_drips_holds_nobody_beyond_the_deadline(channel, service):
    with RawServer(service.drip) as server:
        error = failure(channel, service, BOUNDED, server.port)
    assert not error.permanent
    assert "within 0.5 s" in error.reason


def test_a_refusal_that_repeats_a_secret_does_not_bring_it_into_the_error(channel, service):
    for secret in service.secrets:
        service.refuse(f"denied: {secret}")
        assert "denied" in failure(channel, service).reason


def test_nothing_secret_is_logged(channel, service, caplog):
    with caplog.at_level(logging.DEBUG):
        notifier(channel, service).send(FIRING)
        service.put_off("oops")
        failure(channel, service)
        service.drop()
        failure(channel, service)
    # The server of the test may log what it likes.
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name not in ("mail.log", "mail.debug"))
    for secret in service.secrets:
        assert secret not in ours


def test_the_object_does_not_show_its_secret(channel, service):
    found = notifier(channel, service)
    shown = repr(found) + str(found) + repr(load(environ(service.settings(1))).smtp_url)
    for secret in service.secrets[:1]:
        assert secret not in shown

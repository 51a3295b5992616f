"""The section `channels:` of the rules file: more places of the kinds that the settings configure."""

from __future__ import annotations

from textwrap import dedent

import pytest

from receiver.config import load
from receiver.domain.channel import ChannelSpec, Kind
from receiver.domain.jobs import notify_queue
from receiver.domain.rules.document import read_document
from receiver.domain.rules.problem import Problem
from receiver.domain.rules.read_channels import read_channels
from receiver.notifiers.registry import build_notifiers, hearing, named_kinds

MAIL = {
    "RECEIVER_SMTP_URL": "smtp://127.0.0.1:25",
    "RECEIVER_SMTP_FROM": "alerts@example.org",
    "RECEIVER_SMTP_TO": "ops@example.org",
}
BOT = {"RECEIVER_SLACK_BOT_TOKEN": "xoxb-1", "RECEIVER_SLACK_CHANNEL": "C0123456789"}


def read(text: str, **options: object) -> tuple[dict[str, ChannelSpec], list[str]]:
    root, _ = read_document(dedent(text))
    assert root is not None
    problems: list[Problem] = []
    found = read_channels(root, problems, **options)  # type: ignore[arg-type]  # kinds and taken
    return dict(found), [f"{one.line}:{one.column}: {one.text}" for one in problems]


def test_a_channel_is_a_kind_and_where_it_leads():
    found, problems = read(
        """
        db-team: {slack: "#db-alerts"}
        payments: {slack: C0123456789}
        managers: {email: [boss@example.org, vp@example.org]}
        night: {email: night@example.org}
        """
    )
    assert problems == []
    assert found == {
        "db-team": ChannelSpec("db-team", Kind.SLACK, ("#db-alerts",)),
        "payments": ChannelSpec("payments", Kind.SLACK, ("C0123456789",)),
        "managers": ChannelSpec("managers", Kind.EMAIL, ("boss@example.org", "vp@example.org")),
        "night": ChannelSpec("night", Kind.EMAIL, ("night@example.org",)),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a]", "1:1: channels must be a table of names, this is a list"),
        ("DB: {slack: C0123456789}", '1:1: "DB" is no channel\'s name: 1 to 24 of a-z, 0-9 and -'),
        (f"{'a' * 25}: {{slack: C0123456789}}", "is no channel's name"),
        ("all: {slack: C0123456789}", '1:1: the name "all" belongs to another channel'),
        ("email: {slack: C0123456789}", '1:1: the name "email" belongs to another channel'),
        ("a: slack", "1:4: a channel must be one kind and where it leads"),
        ("a: {slack: C0123456789, email: [a@example.org]}", "a channel must be one kind"),
        ("a: {slak: C0123456789}", '1:5: unknown kind of channel "slak"; did you mean "slack"?'),
        ("a: {pagerduty: x}", "1:5: unknown kind of channel"),
        ("a: {slack: db-alerts}", "1:12: slack must be a channel's id"),
        ("a: {slack: [C0123456789]}", "1:12: slack must be a channel's id"),
        ("a: {email: []}", "1:12: email must be a list of 1 to 50 addresses"),
        ("a: {email: [boss]}", '1:13: email: "boss" must be an address like ops@example.org'),
    ],
)
def test_a_mistake_is_told_with_its_place(text, problem):
    assert problem in read(text)[1][0]


def test_a_kind_that_the_settings_lack_is_refused_where_it_matters():
    text = 'a: {slack: "#x"}\nb: {email: [b@example.org]}'
    assert read(text)[1] == []
    slack, mail = read(text, kinds=())[1]
    assert "needs RECEIVER_SLACK_BOT_TOKEN" in slack
    assert "needs RECEIVER_SMTP_URL" in mail


def test_a_name_that_apprise_has_is_taken():
    assert "belongs to another channel" in read("teams: {slack: C0123456789}", taken=["teams"])[1][0]


def test_the_longest_name_fits_into_the_name_of_a_queue():
    assert len(notify_queue("a" * 24)) <= 32


def test_named_channels_are_built_and_heard_with_those_of_the_settings():
    named = read('managers: {email: [boss@example.org]}\ndb-team: {slack: "#db-alerts"}')[0]
    settings = load({**MAIL, **BOT, "RECEIVER_APPRISE_URLS": "sms=json://h.example/x"})
    assert named_kinds(settings) == {Kind.SLACK, Kind.EMAIL}
    found = build_notifiers(settings, named=named)
    assert list(found) == list(hearing(settings, named)) == ["slack", "email", "sms", "managers", "db-team"]
    assert {name: one.templates for name, one in found.items()} == hearing(settings, named)


def test_a_webhook_of_slacks_gives_no_more_channels():
    settings = load({"RECEIVER_SLACK_WEBHOOK_URL": "https://hooks.slack.example/x"})
    named = read('db-team: {slack: "#db-alerts"}')[0]
    assert named_kinds(settings) == frozenset()
    assert list(build_notifiers(settings, named=named)) == list(hearing(settings, named)) == ["slack"]

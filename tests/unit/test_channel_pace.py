"""How many messages a channel gets in a minute, and which of the others are told together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from receiver.domain.channel_pace import (
    FILLS_SECONDS,
    LARGEST_BUNDLE,
    WINDOW_SECONDS,
    Message,
    Pace,
    Way,
    close,
    pass_on,
)
from receiver.domain.notification import Template

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OPENED = Message("slack", Template.OPENED, "P2")
RESOLVED = Message("slack", Template.RESOLVED, "P2")
LIMIT = 3


def full(limit=LIMIT):
    pace = Pace()
    for _ in range(limit):
        pace = pass_on(OPENED, pace, limit, NOW).pace
    return pace


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def test_messages_up_to_the_limit_go_out_one_by_one_and_the_others_together():
    pace, ways = Pace(), []
    for second in range(10):
        passage = pass_on(OPENED, pace, LIMIT, after(second))
        pace, ways = passage.pace, [*ways, passage.way]
    assert ways == [Way.SINGLE] * 3 + [Way.BUNDLE] * 7


def test_the_first_incident_of_a_bundle_opens_it_and_the_others_join_it():
    first = pass_on(OPENED, full(), LIMIT, NOW)
    second = pass_on(OPENED, first.pace, LIMIT, after(1))
    assert (first.opens, second.opens) == (True, False)
    assert first.key == second.key == "bundle:slack:opened:20260301T120000.000000"
    assert first.delay_seconds == FILLS_SECONDS


def test_a_bundle_that_is_full_is_followed_by_another():
    pace, keys = full(), []
    for number in range(LARGEST_BUNDLE * 2 + 1):
        passage = pass_on(OPENED, pace, LIMIT, NOW + timedelta(milliseconds=number))
        pace, keys = passage.pace, [*keys, passage.key]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [LARGEST_BUNDLE, LARGEST_BUNDLE, 1]


def test_a_bundle_that_was_closed_takes_no_more():
    first = pass_on(OPENED, full(), LIMIT, NOW)
    closed = close(first.pace, first.key, after(5))
    again = pass_on(OPENED, closed, LIMIT, after(6))
    assert again.opens
    assert again.key != first.key


def test_a_minute_later_messages_go_out_one_by_one_again():
    assert pass_on(OPENED, full(), LIMIT, after(WINDOW_SECONDS - 1)).way is Way.BUNDLE
    assert pass_on(OPENED, full(), LIMIT, after(WINDOW_SECONDS)).way is Way.SINGLE


def test_a_clock_that_was_put_back_begins_another_minute():
    assert pass_on(OPENED, full(), LIMIT, after(-3600)).way is Way.SINGLE


@pytest.mark.parametrize("message", [OPENED, RESOLVED, replace(RESOLVED, bundle="bundle:slack:opened:x")])
def test_p0_is_never_bundled(message):
    assert pass_on(replace(message, priority="P0"), full(), LIMIT, NOW).way is Way.SINGLE


@pytest.mark.parametrize("template", [Template.UPDATED, Template.DIAGNOSED, Template.REMINDER])
def test_what_can_wait_waits_for_the_next_minute(template):
    passage = pass_on(replace(OPENED, template=template), full(), LIMIT, after(20))
    assert (passage.way, passage.delay_seconds) == (Way.LATER, 40.0)


@pytest.mark.parametrize(
    "template",
    [Template.ACKNOWLEDGED, Template.ESCALATED, Template.ACTION_FAILED, Template.APPROVAL_NEEDED],
)
def test_what_people_wait_for_goes_out_and_counts(template):
    passage = pass_on(replace(OPENED, template=template), full(), LIMIT, NOW)
    assert (passage.way, passage.pace.sent) == (Way.SINGLE, LIMIT + 1)


def test_the_end_of_a_bundled_incident_is_bundled_even_below_the_limit():
    ended = replace(RESOLVED, bundle="bundle:slack:opened:earlier")
    passage = pass_on(ended, Pace(), LIMIT, NOW)
    assert passage.way is Way.BUNDLE
    assert passage.key.startswith("bundle:slack:resolved:")


def test_the_end_of_an_incident_takes_it_out_of_a_bundle_that_is_still_open():
    opened = pass_on(OPENED, full(), LIMIT, NOW)
    passage = pass_on(replace(RESOLVED, bundle=opened.key), opened.pace, LIMIT, after(1))
    assert passage.way is Way.DROP
    assert passage.pace.bundles[Template.OPENED].size == 0
    assert passage.pace.sent == LIMIT


def test_ends_above_the_limit_are_told_together_too():
    assert pass_on(RESOLVED, full(), LIMIT, NOW).way is Way.BUNDLE


def test_what_is_stored_is_what_was_decided():
    pace = pass_on(OPENED, full(), LIMIT, NOW).pace
    assert Pace.from_document(pace.to_document()) == pace
    assert Pace.from_document({}) == Pace()

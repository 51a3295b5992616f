"""Which message about an incident is worth sending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from receiver.domain.announcement import (
    Announcement,
    Said,
    Situation,
    Step,
    follow_up,
    job_key,
    plan,
    preconditions,
    predecessors,
)
from receiver.domain.notification import NotificationState, Template

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OPENED = Announcement("slack", Template.OPENED)
UPDATED = Announcement("slack", Template.UPDATED, 1)
RESOLVED = Announcement("slack", Template.RESOLVED)
ACKNOWLEDGED = Announcement("slack", Template.ACKNOWLEDGED)


def situation(status="active", severity="warning", alert_count=18, **changes):
    return Situation(status, severity, alert_count, **changes)


def said(template="opened", sequence=0, state="sent", alert_count=18, severity="warning"):
    return Said(template, sequence, state, alert_count, severity, NOW)


def test_an_open_incident_is_announced():
    assert plan(OPENED, situation(), []).step is Step.SEND


@pytest.mark.parametrize("status", ["resolved", "closed"])
@pytest.mark.parametrize("announcement", [OPENED, UPDATED, ACKNOWLEDGED])
def test_what_the_end_has_overtaken_is_not_sent(announcement, status):
    planned = plan(announcement, situation(status), [])
    assert planned.step is Step.SUPERSEDE
    assert status in planned.reason


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_the_end_is_told_even_if_the_beginning_was_not(status):
    assert plan(RESOLVED, situation(status), []).step is Step.SEND


@pytest.mark.parametrize("state", [NotificationState.SENT, NotificationState.SUPERSEDED])
@pytest.mark.parametrize("announcement", [OPENED, UPDATED, ACKNOWLEDGED, RESOLVED])
def test_what_is_recorded_as_settled_is_never_sent_again(announcement, state):
    earlier = said(announcement.template.value, announcement.sequence, state.value)
    assert plan(announcement, situation(alert_count=99), [earlier]).step is Step.SKIP


def test_a_dead_message_may_be_tried_again():
    assert plan(OPENED, situation(), [said(state="dead")]).step is Step.SEND


def test_another_update_than_this_one_settles_nothing():
    assert plan(UPDATED, situation(alert_count=20), [said("updated", 2)]).step is Step.SEND


def test_an_update_without_news_waits():
    assert plan(UPDATED, situation(), [said()]).step is Step.WAIT


def test_an_update_names_what_has_changed():
    ann = situation(
        "acknowledged", "critical", 30, acknowledged_at=NOW + timedelta(minutes=1), acknowledged_by="ann"
    )
    planned = plan(UPDATED, ann, [said()])
    assert planned.step is Step.SEND
    assert planned.changes == (
        "12 more alerts (30 in all)",
        "severity warning → critical",
        "acknowledged by ann",
    )


def test_one_more_alert_is_singular():
    assert plan(UPDATED, situation(alert_count=19), [said()]).changes == ("1 more alert (19 in all)",)


def test_changes_count_from_the_last_message_that_was_sent():
    heard = [said(alert_count=3), said("updated", 1, "sent", 10), said("updated", 2, "dead", 15)]
    planned = plan(Announcement("slack", Template.UPDATED, 3), situation(), heard)
    assert planned.changes == ("8 more alerts (18 in all)",)


def test_an_acknowledgement_alone_is_no_news():
    acknowledged = situation(
        "acknowledged", acknowledged_at=NOW + timedelta(minutes=1), acknowledged_by="ann"
    )
    assert plan(UPDATED, acknowledged, [said()]).step is Step.WAIT


def test_an_acknowledgement_is_told_once():
    acknowledged = situation(
        "acknowledged", alert_count=30, acknowledged_at=NOW - timedelta(minutes=1), acknowledged_by="ann"
    )
    assert plan(UPDATED, acknowledged, [said()]).changes == ("12 more alerts (30 in all)",)


def test_updates_follow_one_another_and_nothing_follows_the_end():
    chain = [OPENED]
    for _ in range(3):
        following = follow_up(chain[-1])
        assert following is not None
        chain.append(following)
    assert [(one.template.value, one.sequence) for one in chain] == [
        ("opened", 0),
        ("updated", 1),
        ("updated", 2),
        ("updated", 3),
    ]
    assert follow_up(RESOLVED) is None
    assert all(job_key("INC-1", one) != job_key("INC-1", two) for one, two in pairwise(chain))


def test_the_keys_are_those_that_the_intake_writes():
    assert job_key("INC-1", OPENED) == "notify:INC-1:slack:opened"
    assert job_key("INC-1", UPDATED) == "notify:INC-1:slack:updated:1"
    assert job_key("INC-1", RESOLVED) == "notify:INC-1:slack:resolved"


def test_the_end_comes_after_whatever_may_be_under_way():
    assert predecessors(RESOLVED, [said()]) == [OPENED, UPDATED, ACKNOWLEDGED]
    assert predecessors(RESOLVED, [said(), said("updated", 4)])[1].sequence == 5
    assert predecessors(OPENED, []) == predecessors(UPDATED, [said()]) == []


def test_an_acknowledgement_is_told_while_it_holds():
    assert plan(ACKNOWLEDGED, situation("acknowledged"), [said()]).step is Step.SEND
    assert plan(ACKNOWLEDGED, situation("active"), [said()]).step is Step.SUPERSEDE


def test_an_acknowledgement_comes_after_the_beginning_has_been_told_or_given_up():
    assert preconditions(ACKNOWLEDGED) == [OPENED]
    assert preconditions(OPENED) == preconditions(UPDATED) == preconditions(RESOLVED) == []


def test_nothing_follows_an_acknowledgement():
    assert follow_up(ACKNOWLEDGED) is None
    assert job_key("INC-1", ACKNOWLEDGED) == "notify:INC-1:slack:acknowledged"

"""Which message about an incident is worth sending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from receiver.domain.action_state import ActionState
from receiver.domain.announcement import (
    COUNTED,
    Announcement,
    Said,
    Situation,
    Step,
    bundle_of_beginning,
    follow_up,
    job_key,
    plan,
    thread_ref,
    waits_for_the_beginning,
    waits_for_those_under_way,
)
from receiver.domain.notification import NotificationState, Template

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OPENED = Announcement("slack", Template.OPENED)
UPDATED = Announcement("slack", Template.UPDATED, 1)
RESOLVED = Announcement("slack", Template.RESOLVED)
ACKNOWLEDGED = Announcement("slack", Template.ACKNOWLEDGED)


def situation(status="active", severity="warning", alert_count=18, **changes):
    return Situation(status, severity, alert_count, **changes)


def said(template="opened", sequence=0, state="sent", alert_count=18, severity="warning", ref=""):
    return Said(template, sequence, state, alert_count, severity, NOW, ref)


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
    assert waits_for_those_under_way(RESOLVED)
    assert not any(waits_for_those_under_way(one) for one in (OPENED, UPDATED, ACKNOWLEDGED))


def test_an_acknowledgement_is_told_while_it_holds():
    assert plan(ACKNOWLEDGED, situation("acknowledged"), [said()]).step is Step.SEND
    assert plan(ACKNOWLEDGED, situation("active"), [said()]).step is Step.SUPERSEDE


def test_what_belongs_to_a_beginning_comes_after_it_has_been_told_or_given_up():
    assert waits_for_the_beginning(ACKNOWLEDGED)
    assert waits_for_the_beginning(Announcement("slack", Template.ACTION_COMPLETED, 1))
    assert not waits_for_the_beginning(OPENED)
    assert not waits_for_the_beginning(RESOLVED)


def test_nothing_follows_an_acknowledgement():
    assert follow_up(ACKNOWLEDGED) is None
    assert job_key("INC-1", ACKNOWLEDGED) == "notify:INC-1:slack:acknowledged"


@pytest.mark.parametrize("template", sorted(COUNTED))
def test_what_comes_several_times_has_a_key_for_each_time(template):
    keys = {job_key("INC-1", Announcement("slack", template, number)) for number in range(3)}
    assert len(keys) == 3


def test_the_first_acknowledgement_keeps_the_key_of_earlier_releases():
    second = Announcement("slack", Template.ACKNOWLEDGED, 1)
    assert job_key("INC-1", second) == "notify:INC-1:slack:acknowledged:1"


@pytest.mark.parametrize("template", [Template.ESCALATED, Template.REMINDER])
@pytest.mark.parametrize("status", ["acknowledged", "resolved", "closed"])
def test_nobody_is_called_once_somebody_has_it(template, status):
    planned = plan(Announcement("slack", template, 1), situation(status, mitigation="failed"), [said()])
    assert (planned.step, planned.reason) == (Step.SUPERSEDE, f"the incident is {status} by now")


def test_a_failed_mitigation_is_told_again_while_nobody_has_it():
    reminder = Announcement("slack", Template.REMINDER, 1)
    assert plan(reminder, situation(mitigation="failed"), [said()]).step is Step.SEND
    assert plan(reminder, situation(mitigation="mitigating"), [said()]).step is Step.WAIT
    assert plan(reminder, situation(mitigation="succeeded"), [said()]).step is Step.SUPERSEDE


def test_reminders_follow_a_failed_action_and_each_other():
    failed = Announcement("slack", Template.ACTION_FAILED, 7)
    assert follow_up(failed, last_reminder=0) == Announcement("slack", Template.REMINDER, 1)
    assert follow_up(failed, last_reminder=4) == Announcement("slack", Template.REMINDER, 5)
    reminder = Announcement("slack", Template.REMINDER, 5)
    assert follow_up(reminder, last_reminder=4) == Announcement("slack", Template.REMINDER, 6)


def test_approval_is_asked_for_while_it_is_needed():
    needed = Announcement("slack", Template.APPROVAL_NEEDED, 1)
    waits = situation(action_state=ActionState.AWAITING_APPROVAL.value)
    assert plan(needed, waits, [said()]).step is Step.SEND
    unplanned = situation(action_state=ActionState.REQUESTED.value)
    assert plan(needed, unplanned, [said()]).step is Step.WAIT
    refused = plan(needed, situation(action_state=ActionState.REFUSED.value), [said()])
    assert (refused.step, refused.reason) == (Step.SUPERSEDE, "the action is refused by now")


def test_what_became_of_an_action_is_told_even_when_the_incident_is_over():
    completed = Announcement("slack", Template.ACTION_COMPLETED, 1)
    assert plan(completed, situation("resolved"), [said()]).step is Step.SEND


def test_an_incident_that_was_left_out_of_its_bundle_ends_in_silence():
    left_out = said(state="superseded", ref="bundle:slack:opened:x")
    assert plan(RESOLVED, situation("resolved"), [left_out]).step is Step.SUPERSEDE
    escalated = said("escalated", 0)
    assert plan(RESOLVED, situation("resolved"), [left_out, escalated]).step is Step.SEND


def test_an_update_counts_from_the_bundle_that_told_of_the_incident():
    bundled = said(state="bundled", alert_count=10, ref="bundle:slack:opened:x")
    assert plan(UPDATED, situation(), [bundled]).changes == ("8 more alerts (18 in all)",)
    assert bundle_of_beginning([bundled]) == "bundle:slack:opened:x"
    assert bundle_of_beginning([said(ref="123.4")]) == ""


def test_a_thread_hangs_on_the_first_message_that_was_taken():
    assert thread_ref([said(state="dead"), said("escalated", 0, ref="9.9")]) == "9.9"
    assert thread_ref([said(ref="1.2"), said("updated", 1, ref="3.4")]) == "1.2"
    assert thread_ref([said(state="bundled", ref="bundle:slack:opened:x")]) == ""

"""What follows from a failed action, until somebody acts; what rules want quiet; and what such messages say."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from receiver.domain.events import EventType
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, acknowledge, resolve
from receiver.worker.loop import run_due
from tests.builders.flow import Storm, action_ends, let_time_pass, rules_file
from tests.builders.jobs import states
from tests.builders.story import Story
from tests.fakes.slack import CHANNEL_NOT_FOUND, SlackServer
from tests.fixtures.runtimes import RuntimeFactory

ANN = Deed("ann", "0" * 32)
INTERVAL = 600.0
RULES = """
- name: tell-everybody
  on: [incident.opened, incident.resolved, action.failed, action.completed]
  notify: {channels: all}
"""
QUIET = RULES.replace("channels: all", "channels: all, quiet: true")


@pytest.fixture
def make(engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer, tmp_path):
    def made(rules: str = RULES, **settings: str) -> Story:
        settings |= {"SLACK_WEBHOOK_URL": slack.url, "REMIND_INTERVAL_SECONDS": str(INTERVAL)}
        return Story(make_runtime(engine, RULES=rules_file(tmp_path, rules), **settings), slack)

    return made


def reminders(story: Story) -> list[tuple[int, str]]:
    """Sequence and state of each reminder that has ended."""
    return [(number, state) for template, number, state in story.notifications() if template == "reminder"]


def remind(story: Story) -> None:
    let_time_pass(story.runtime.engine, INTERVAL)
    story.work()


def failed(story: Story) -> str:
    """An incident whose mitigation has failed, and of which the channel was told."""
    incident_id = story.fire()
    story.work()
    action_ends(story.runtime, incident_id)
    story.work()
    assert ("action_failed", 1, "sent") in story.notifications()
    return incident_id


def test_a_failed_mitigation_is_told_again_and_again_while_nobody_acts(make):
    story = make()
    failed(story)
    assert reminders(story) == []
    for _ in range(3):
        remind(story)
    assert reminders(story) == [(1, "sent"), (2, "sent"), (3, "sent")]
    assert "Still failing" in story.last_message()


@pytest.mark.parametrize("act", [acknowledge, resolve])
def test_reminders_end_when_somebody_acts(make, act):
    story = make()
    incident_id = failed(story)
    remind(story)
    act(story.runtime, incident_id, ANN)
    for _ in range(3):
        remind(story)
    assert reminders(story) == [(1, "sent"), (2, "superseded")]


def test_reminders_pause_during_another_attempt_and_end_with_its_success(make, engine):
    story = make()
    incident_id = failed(story)
    _mitigation(engine, "mitigating")
    remind(story)
    remind(story)
    assert reminders(story) == []
    _mitigation(engine, "failed")
    remind(story)
    assert reminders(story) == [(1, "sent")]
    action_ends(story.runtime, incident_id, EventType.ACTION_COMPLETED, ordinal=2)
    remind(story)
    remind(story)
    assert reminders(story) == [(1, "sent"), (2, "superseded")]


def test_a_second_failure_is_told_and_begins_no_second_chain(make):
    story = make()
    incident_id = failed(story)
    action_ends(story.runtime, incident_id, ordinal=2)
    story.work()
    remind(story)
    remind(story)
    assert ("action_failed", 2, "sent") in story.notifications()
    assert reminders(story) == [(1, "sent"), (2, "sent")]


def test_reminders_begin_anew_when_it_fails_after_a_success(make):
    story = make()
    incident_id = failed(story)
    action_ends(story.runtime, incident_id, EventType.ACTION_COMPLETED, ordinal=2)
    remind(story)
    action_ends(story.runtime, incident_id, ordinal=3)
    story.work()
    remind(story)
    assert reminders(story) == [(1, "superseded"), (2, "sent")]


def test_a_channel_that_was_dead_when_the_action_failed_is_reminded_all_the_same(make, slack):
    story = make()
    incident_id = story.fire()
    story.work()
    action_ends(story.runtime, incident_id)
    slack.answer(CHANNEL_NOT_FOUND)
    story.work()
    assert ("action_failed", 1, "dead") in story.notifications()
    remind(story)
    assert reminders(story) == [(1, "sent")]


def test_a_message_about_an_action_says_which_what_and_why(make):
    story = make()
    failed(story)
    for phrase in (
        "kubernetes.scale on kubernetes:shop/deployment/checkout",
        "from replicas 2 to replicas 3",
        "asked for by rule scale-up: CPU is high",
        "the API server did not answer",
    ):
        assert phrase in story.last_message()


def test_each_action_is_told_by_its_ordinal(make):
    story = make()
    incident_id = story.fire()
    story.work()
    for ordinal in (1, 2, 3):
        action_ends(story.runtime, incident_id, EventType.ACTION_COMPLETED, ordinal=ordinal)
        story.work()
    completed = [number for template, number, _ in story.notifications() if template == "action_completed"]
    assert completed == [1, 2, 3]


def test_a_quiet_rule_tells_the_beginning_and_the_end_and_nothing_between(make, engine):
    story = make(QUIET)
    story.fire(2)
    story.work()
    story.fire(5)
    let_time_pass(engine, 3600)
    story.work()
    story.recover()
    story.work()
    assert story.notifications() == [("opened", 0, "sent"), ("resolved", 0, "sent")]
    assert not [key for key in states(engine) if ":updated:" in key]


def test_a_quiet_rule_reminds_nobody(make, engine):
    story = make(QUIET)
    failed(story)
    remind(story)
    assert reminders(story) == []


def test_what_a_quiet_rule_has_bundled_is_quiet_too(engine, make_runtime, slack, tmp_path):
    settings = {"SLACK_WEBHOOK_URL": slack.url, "NOTIFY_PER_MINUTE": "1"}
    runtime: Runtime = make_runtime(engine, RULES=rules_file(tmp_path, QUIET), **settings)
    Storm(runtime).breaks(4)
    run_due(runtime)
    let_time_pass(engine, 61)
    run_due(runtime)
    assert len(slack.delivered()) == 2
    assert not [key for key in states(engine) if ":updated:" in key]


def _mitigation(engine: Engine, state: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE incidents SET mitigation = :state"), {"state": state})

"""What a channel is handed besides the incident: its thread, doubts about an earlier attempt, wording, diagnostics."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from receiver.domain.events import EventType
from receiver.domain.notification import Notification, Receipt, Template
from receiver.errors import DeliveryFailed
from receiver.notifiers.template_files import EMAIL_TEXT
from receiver.notifiers.texts import shipped_wording
from receiver.runtime import Runtime
from receiver.services.jobs import retry_jobs
from receiver.worker.dispatcher import claim
from receiver.worker.loop import run_due
from tests.builders.flow import Storm, action_ends, let_time_pass, rules_file
from tests.fixtures.runtimes import RuntimeFactory

RULES = """
- name: tell
  on: [incident.opened, incident.resolved, action.completed, action.requested]
  notify: {channels: all}
"""


class Recorder:
    """A channel that keeps what it is handed, and fails as often as it is told to."""

    name = "slack"
    templates = frozenset(Template) - {Template.TEST}

    def __init__(self) -> None:
        self.taken: list[Notification] = []
        self.failures: list[DeliveryFailed] = []

    def send(self, notification: Notification) -> Receipt:
        self.taken.append(notification)
        if self.failures:
            raise self.failures.pop()
        return Receipt("ok", f"ref-{len(self.taken)}")


@pytest.fixture
def channel() -> Recorder:
    return Recorder()


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory, channel: Recorder, tmp_path: Path) -> Runtime:
    made = make_runtime(
        engine,
        SLACK_WEBHOOK_URL="https://hooks.slack.example/services/T0/B0/x",
        RULES=rules_file(tmp_path, RULES),
        NOTIFY_PER_MINUTE="3",
        PUBLIC_URL="https://receiver.example",
    )
    return dataclasses.replace(made, notifiers={"slack": channel})


def test_what_follows_hangs_on_the_first_message(runtime, channel):
    storm = Storm(runtime)
    (incident_id,) = storm.breaks(1)
    run_due(runtime)
    action_id = action_ends(runtime, incident_id, EventType.ACTION_COMPLETED)
    run_due(runtime)
    storm.ends(1)
    run_due(runtime)
    opened, completed, resolved = channel.taken
    assert [one.thread_ref for one in channel.taken] == ["", "ref-1", "ref-1"]
    assert (completed.template, completed.sequence) == (Template.ACTION_COMPLETED, 1)
    assert (completed.action_id, opened.action_id) == (action_id, "")
    assert resolved.incident_url == f"https://receiver.example/api/v1/incidents/{incident_id}"


def test_a_first_attempt_has_no_doubts_and_a_second_one_has(runtime, channel, engine):
    channel.failures = [DeliveryFailed("no answer", outcome_unknown=True)]
    Storm(runtime).breaks(1)
    run_due(runtime)
    let_time_pass(engine, 3600)
    run_due(runtime)
    assert [one.may_have_been_sent for one in channel.taken] == [False, True]


def test_an_attempt_after_one_that_was_never_recorded_has_doubts(runtime, channel, engine):
    Storm(runtime).breaks(1)
    claim(engine, "notify-slack", 1, 60, "a worker that dies")
    let_time_pass(engine, 61)
    run_due(runtime)
    assert channel.taken[0].may_have_been_sent


def test_a_dead_message_that_is_tried_again_has_doubts(runtime, channel, engine):
    channel.failures = [DeliveryFailed("not as it should be", permanent=True, outcome_unknown=True)]
    Storm(runtime).breaks(1)
    run_due(runtime)
    retry_jobs(engine, None, all_dead=True)
    run_due(runtime)
    assert [one.may_have_been_sent for one in channel.taken] == [False, True]


def test_who_is_asked_to_approve_is_told_what_would_be_done_and_where_to_say_so(runtime, channel, engine):
    (incident_id,) = Storm(runtime).breaks(1)
    run_due(runtime)
    action_id = action_ends(runtime, incident_id, EventType.ACTION_REQUESTED)
    run_due(runtime)
    message = channel.taken[-1]
    details, text = message.details, shipped_wording(message).render(EMAIL_TEXT).text
    address = f"https://receiver.example/api/v1/actions/{action_id}"
    assert "scale checkout from 2 to 3 replicas" in details
    assert [text.count(f"POST {address}/{word}") for word in ("approve", "reject")] == [1, 1]


def test_an_approval_that_somebody_has_given_is_not_asked_for(runtime, channel, engine):
    (incident_id,) = Storm(runtime).breaks(1)
    run_due(runtime)
    action_ends(runtime, incident_id, EventType.ACTION_REQUESTED)
    with engine.begin() as connection:
        connection.execute(text("UPDATE remediation_actions SET state = 'requested'"))
    run_due(runtime)
    assert [one.template for one in channel.taken] == [Template.OPENED]


def test_a_message_shows_what_was_diagnosed(runtime, channel, engine):
    Storm(runtime).breaks(1)
    found = {"pods": {}, "metrics": {"availability": {"ok": False, "value": 0.97}}, "dependencies": {}}
    with engine.begin() as connection:
        connection.execute(text("UPDATE incidents SET diagnostics = :found"), {"found": json.dumps(found)})
    run_due(runtime)
    (line,) = channel.taken[0].diagnostics
    assert "availability" in line


def test_a_rule_names_the_wording(engine, make_runtime, channel, tmp_path):
    rules = "- {name: tell, on: incident.opened, notify: {channels: all, template: night}}\n"
    url = "https://hooks.slack.example/services/T0/B0/x"
    made = make_runtime(engine, SLACK_WEBHOOK_URL=url, RULES=rules_file(tmp_path, rules))
    runtime = dataclasses.replace(made, notifiers={"slack": channel})
    Storm(runtime).breaks(1)
    run_due(runtime)
    assert channel.taken[0].wording == "night"


def test_a_bundle_names_its_incidents_the_worst_of_them_and_since_when(runtime, channel, engine):
    storm = Storm(runtime)
    storm.breaks(3)
    run_due(runtime)
    ids = storm.breaks(2, name="more", severity="warning") + storm.breaks(1, name="worse", severity="error")
    run_due(runtime)
    let_time_pass(engine, 15)
    run_due(runtime)
    bundle = channel.taken[-1]
    assert bundle.template is Template.BUNDLE
    assert [one.incident_id for one in bundle.incidents] == ids
    assert (bundle.title, bundle.severity, bundle.priority) == ("3 incidents opened", "error", "P1")
    assert (bundle.number, bundle.incident_id.startswith("bundle:slack:opened:")) == (0, True)
    assert bundle.incidents[0].incident_url.endswith(f"/api/v1/incidents/{ids[0]}")

"""GET /api/v1/incidents/{id}/explain: why a channel heard what it heard, and why it did not hear the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, text

from receiver.services.incidents import Deed, acknowledge, resolve
from receiver.worker.dispatcher import claim
from receiver.worker.loop import run_due
from tests.builders.flow import Storm, let_time_pass, rules_file
from tests.builders.web import client_of
from tests.fakes.slack import CHANNEL_NOT_FOUND, SERVER_ERROR, SlackServer
from tests.fixtures.runtimes import RuntimeFactory

LIMIT = 3
HEAD = """
escalations:
  default: {steps: [{after: 15m, channels: [slack]}, {after: 30m, channels: [webhook]}]}
"""
RULES = """
- name: night
  on: incident.opened
  match: severity="critical"
  notify: {channels: [webhook]}
- name: urgent
  on: incident.opened
  match: priority="P1"
  escalate: default
  continue: true
- name: day
  on: [incident.opened, incident.resolved]
  notify: {channels: [slack]}
"""


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer, tmp_path):
    return make_runtime(
        engine,
        SLACK_WEBHOOK_URL=slack.url,
        WEBHOOK_OUT_URL="https://hooks.example/secret-of-the-hook",
        WEBHOOK_OUT_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        NOTIFY_PER_MINUTE=str(LIMIT),
        RULES=rules_file(tmp_path, RULES, HEAD),
    )


@pytest.fixture
def storm(runtime) -> Storm:
    return Storm(runtime)


def explained(runtime: Any, incident_id: str) -> dict[str, Any]:
    answer = client_of(runtime).get(f"/api/v1/incidents/{incident_id}/explain")
    assert answer.status_code == 200, answer.text
    assert "secret-of-the" not in answer.text
    assert "whsec" not in answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def message(found: dict[str, Any], template: str = "opened") -> dict[str, Any]:
    (one,) = (one for one in found["notifications"] if one["template"] == template)
    assert isinstance(one, dict)
    return one


def test_a_message_that_was_sent_names_its_rule_its_key_and_the_answer(runtime, storm):
    (incident_id,) = storm.breaks(1)
    run_due(runtime)
    one = message(explained(runtime, incident_id))
    assert (one["rule"], one["outcome"], one["attempts"]) == ("day", "sent", 1)
    assert one["idempotency_key"] == f"notify:{incident_id}:slack:opened"
    assert one["answer"] == "ok"
    assert one["sentence"].endswith("on attempt 1; the answer was: ok.")
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE notifications SET detail = 'All is well.'"))
    assert message(explained(runtime, incident_id))["sentence"].endswith("was: All is well.")
    assert one["next_attempt_at"] is None
    assert one["limit"] == "1 of 3 messages in the minute that is under way."


def test_an_update_that_is_not_due_says_when_and_on_what_it_depends(runtime, storm):
    (incident_id,) = storm.breaks(1)
    run_due(runtime)
    one = message(explained(runtime, incident_id), "updated")
    assert one["outcome"] == "waiting"
    assert one["next_attempt_at"] in one["sentence"]
    assert one["sentence"].endswith(", if more alerts have come by then.")


def test_a_message_that_waits_for_a_worker_says_so(runtime, storm, engine):
    (incident_id,) = storm.breaks(1)
    assert "it waits for a worker" in message(explained(runtime, incident_id))["sentence"]
    claim(engine, "notify-slack", 1, 60, "a worker")
    assert message(explained(runtime, incident_id))["outcome"] == "running"


def test_a_failed_attempt_says_what_was_answered_and_when_it_is_tried_next(runtime, storm, slack):
    slack.answer(SERVER_ERROR)
    (incident_id,) = storm.breaks(1)
    run_due(runtime)
    one = message(explained(runtime, incident_id))
    assert one["outcome"] == "retrying"
    assert "500" in one["last_error"]
    assert "Attempt 1 of 180 failed: " in one["sentence"]
    assert one["next_attempt_at"] in one["sentence"]


def test_a_dead_message_says_why_and_how_it_is_tried_again(runtime, storm, slack):
    slack.answer(CHANNEL_NOT_FOUND)
    (incident_id,) = storm.breaks(1)
    run_due(runtime)
    one = message(explained(runtime, incident_id))
    assert one["outcome"] == "dead"
    assert "channel_not_found" in one["sentence"]
    assert f"`receiver jobs retry {one['job_id']}`" in one["sentence"]


def test_a_bundled_message_names_its_bundle_before_and_after(runtime, storm, engine):
    incident_ids = storm.breaks(LIMIT + 2)
    run_due(runtime)
    one = message(explained(runtime, incident_ids[-1]))
    assert one["outcome"] == "bundled"
    assert one["bundle"] in one["sentence"]
    assert "Waits to be told together with others" in one["sentence"]
    assert one["limit"] == "3 of 3 messages in the minute that is under way."
    let_time_pass(engine, 15)
    run_due(runtime)
    assert message(explained(runtime, incident_ids[-1]))["sentence"].startswith("Told together with others")


def test_a_message_that_was_overtaken_says_by_what(runtime, storm):
    (incident_id,) = storm.breaks(1)
    storm.ends(1)
    run_due(runtime)
    one = message(explained(runtime, incident_id))
    assert (one["outcome"], one["sentence"]) == ("superseded", "Not sent: the incident is resolved by now.")


def test_a_channel_that_heard_nothing_says_which_rule_did_not_apply(runtime, storm):
    (incident_id,) = storm.breaks(1)
    found = explained(runtime, incident_id)
    (silent,) = found["silent_channels"]
    assert silent["channel"] == "webhook"
    assert silent["reasons"] == [
        {
            "event": "incident.opened",
            "rule": "night",
            "sentence": 'It does not apply: severity="critical" is not true, it is "warning".',
        }
    ]


def test_a_channel_that_no_rule_names_says_so(engine, make_runtime, slack, tmp_path):
    rules = "- {name: nobody, on: incident.opened, match: priority=P4, notify: {channels: all}}\n"
    rules += "- {name: ends, on: incident.resolved, notify: {channels: all}}\n"
    runtime = make_runtime(engine, SLACK_WEBHOOK_URL=slack.url, RULES=rules_file(tmp_path, rules))
    (incident_id,) = Storm(runtime).breaks(1)
    acknowledge(runtime, incident_id, Deed("ann", "0" * 32))
    (silent,) = explained(runtime, incident_id)["silent_channels"]
    assert [one["rule"] for one in silent["reasons"]] == ["nobody"]
    bare = make_runtime(
        engine, SLACK_WEBHOOK_URL=slack.url, RULES=rules_file(tmp_path, rules.splitlines()[1] + "\n")
    )
    (silent,) = explained(bare, incident_id)["silent_channels"]
    assert silent["sentence"].startswith("No rule tells slack of what has happened")


def test_each_rule_says_whether_it_applies_and_why_not(runtime, storm):
    (incident_id,) = storm.breaks(1, severity="critical")
    found = explained(runtime, incident_id)
    assert [(one["rule"], one["applies"], one["sentence"]) for one in found["rules"]] == [
        ("night", True, "It applies."),
        ("urgent", False, "It was not looked at: night comes before it and ends the search."),
        ("day", False, "It was not looked at: night comes before it and ends the search."),
    ]


def test_the_steps_of_an_escalation_say_when_they_are_due(runtime, storm, engine):
    (incident_id,) = storm.breaks(1, severity="error")
    run_due(runtime)
    steps = explained(runtime, incident_id)["escalations"]
    assert [(one["policy"], one["rule"], one["step"], one["job_state"]) for one in steps] == [
        ("default", "urgent", 1, "ready"),
    ]
    assert steps[-1]["sentence"] == "Step 1 of 2, which tells slack unless somebody acknowledges, is due."


def test_a_step_says_whom_it_told_or_why_nobody(runtime, storm, engine):
    (incident_id,) = storm.breaks(1, severity="error")
    let_time_pass(engine, 1000)
    run_due(runtime)
    acknowledge(runtime, incident_id, Deed("ann", "0" * 32))
    let_time_pass(engine, 2000)
    run_due(runtime)
    first, second = (one["sentence"] for one in explained(runtime, incident_id)["escalations"])
    assert first.endswith("asked for messages to slack.")
    assert second.endswith("told nobody: the incident had been acknowledged by ann.")


def test_a_channel_that_an_escalation_names_is_not_said_to_be_named_nowhere(runtime, storm):
    (incident_id,) = storm.breaks(1, severity="error")
    (silent,) = (
        one for one in explained(runtime, incident_id)["silent_channels"] if one["channel"] == "webhook"
    )
    assert silent["sentence"] == "The escalation default names webhook, but has not come to tell it."


def test_no_update_is_promised_of_an_incident_that_is_over(runtime, storm):
    (incident_id,) = storm.breaks(1)
    run_due(runtime)
    resolve(runtime, incident_id, Deed("ann", "0" * 32))
    (update,) = (
        one for one in explained(runtime, incident_id)["notifications"] if one["template"] == "updated"
    )
    assert update["sentence"] == "Will not be sent: the incident is over."


def test_numbers_are_taken_for_ids_and_what_is_unknown_is_404(runtime, storm):
    storm.breaks(1)
    assert explained(runtime, "1")["number"] == 1
    assert client_of(runtime).get("/api/v1/incidents/INC-999/explain").status_code == 404


def test_the_answer_has_what_the_document_describes(runtime, storm):
    (incident_id,) = storm.breaks(1, severity="error")
    run_due(runtime)
    found = explained(runtime, incident_id)
    schemas = client_of(runtime).get("/openapi.json").get_json()["components"]["schemas"]
    assert set(found) == set(schemas["Explanation"]["properties"])
    for name, key in (
        ("ExplainedMessage", "notifications"),
        ("SilentChannel", "silent_channels"),
        ("ExplainedStep", "escalations"),
        ("ExplainedRule", "rules"),
    ):
        assert set(found[key][0]) == set(schemas[name]["properties"]), json.dumps(found[key][0])

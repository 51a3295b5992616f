"""An incident in Slack by a bot, through the job table: one message, a thread, nothing twice after a lost answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, acknowledge, resolve
from receiver.services.intake import Intake
from receiver.worker.loop import run_due
from tests.builders import bodies
from tests.builders.jobs import pass_time, states
from tests.fakes.slack import LOST, SERVER_ERROR
from tests.fakes.slack_web import CHANNEL, OTHER_CHANNEL, TOKEN, SlackWeb
from tests.fixtures.runtimes import RuntimeFactory

HUMAN = Deed("ann", "0" * 32)
RULES = f"""
version: 1
channels:
  db-team: {{slack: {OTHER_CHANNEL}}}
rules:
  - name: databases
    on: [incident.opened, incident.acknowledged, incident.resolved]
    match: service="db"
    notify: {{channels: [db-team]}}
  - name: everything-else
    on: [incident.opened, incident.acknowledged, incident.resolved]
    notify: {{channels: [slack]}}
"""


@pytest.fixture
def web() -> Iterator[SlackWeb]:
    with SlackWeb() as server:
        yield server


@pytest.fixture
def runtime(sqlite_engine: Engine, make_runtime: RuntimeFactory, web: SlackWeb, tmp_path: Path) -> Runtime:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    return make_runtime(
        sqlite_engine,
        SLACK_BOT_TOKEN=TOKEN,
        SLACK_CHANNEL=CHANNEL,
        SLACK_API_URL=web.api_url,
        RULES=str(rules),
        WORKER_LEASE_SECONDS="60",
    )


def send(runtime: Runtime, *alerts: dict[str, Any]) -> str:
    intake = Intake(runtime)
    return (
        intake.accept(intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id()))
        .incidents[0]
        .incident_id
    )


def heads(messages: list[dict[str, Any]]) -> list[str]:
    return [message["blocks"][0]["text"]["text"].partition(" · ")[0] for message in messages]


def test_an_incident_is_one_message_that_people_see_change(runtime, web):
    incident_id = send(runtime, bodies.alert(severity="critical"))
    run_due(runtime)
    seen = [heads(web.posted(threads=False))]
    acknowledge(runtime, incident_id, HUMAN)
    run_due(runtime)
    seen.append(heads(web.posted(threads=False)))
    resolve(runtime, incident_id, HUMAN)
    run_due(runtime)
    seen.append(heads(web.posted(threads=False)))
    assert seen == [["🔴 P0"], ["👀 Acknowledged"], ["✅ Resolved"]]
    assert heads(web.replies()) == ["✅ Resolved"]


def test_after_a_lost_answer_the_message_is_found_again(runtime, web, sqlite_engine):
    web.answer_to("chat.postMessage", LOST)
    send(runtime, bodies.alert())
    run_due(runtime)
    pass_time(sqlite_engine, 600)
    web.answer_to("conversations.history", SERVER_ERROR)  # and it does not post while it cannot look
    run_due(runtime)
    pass_time(sqlite_engine, 3600)
    run_due(runtime)
    assert len(web.posted()) == 1
    assert "ready" not in {state for key, state in states(sqlite_engine).items() if ":opened" in key}


def test_a_channel_of_the_rules_file_has_its_own_message_and_thread(runtime, web):
    incident_id = send(runtime, bodies.alert(service="db"))
    run_due(runtime)
    resolve(runtime, incident_id, HUMAN)
    run_due(runtime)
    assert web.posted(CHANNEL) == []
    assert heads(web.posted(OTHER_CHANNEL)) == ["✅ Resolved", "✅ Resolved"]
    assert len(web.replies(OTHER_CHANNEL)) == 1

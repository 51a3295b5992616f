"""From an incident to its messages: each is sent once, in the right order, or it is known why not."""

from __future__ import annotations

import dataclasses
import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from receiver.domain.jobs import ClaimedJob, Verdict
from receiver.domain.retry import Backoff
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, acknowledge, close, resolve
from receiver.worker.attempt import attempt
from receiver.worker.dispatcher import claim
from receiver.worker.handlers import build_handlers
from receiver.worker.loop import run_due
from receiver.worker.recorder import settle
from tests.builders.flow import rules_file
from tests.builders.jobs import add, request, rows, states
from tests.builders.story import Story
from tests.fakes.slack import SERVER_ERROR, SlackServer
from tests.fixtures.runtimes import RuntimeFactory

INTERVAL = 1800.0
HUMAN = Deed("ann", "0" * 32)
NEVER = threading.Event()


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer, tmp_path: Path) -> Runtime:
    return make_runtime(
        engine,
        SLACK_WEBHOOK_URL=slack.url,
        UPDATE_INTERVAL_SECONDS=str(INTERVAL),
        RULES=rules_file(tmp_path),
    )


@pytest.fixture
def story(runtime: Runtime, slack: SlackServer) -> Story:
    return Story(runtime, slack)


def test_thirty_alerts_are_one_message(story, engine):
    incident_id = story.fire(30)
    assert story.work() == 1
    (message,) = story.slack.delivered()
    assert incident_id in json.dumps(message.json)
    assert story.notifications() == [("opened", 0, "sent")]


def test_a_sent_message_is_recorded_with_its_event_and_on_the_incident(story, engine):
    story.fire(3, severity="critical")
    story.work()
    columns = "channel, state, attempt, alert_count, severity, detail"
    assert story.fetch(f"SELECT {columns} FROM notifications") == [("slack", "sent", 1, 3, "critical", "ok")]
    assert story.events() == ["notification.requested", "notification.delivered"]
    (found,) = story.fetch("SELECT actor, payload FROM events WHERE type = 'notification.delivered'")
    assert found[0] == "worker"
    told = json.loads(found[1])
    assert (told["channel"], told["template"], told["attempt"]) == ("slack", "opened", 1)
    traces = story.fetch("SELECT DISTINCT trace_id FROM events")
    assert len(traces) == 1
    assert story.fetch("SELECT incident_id FROM incidents WHERE last_notified_at IS NULL") == []


def test_opening_and_resolving_are_one_message_each(story, engine):
    story.fire()
    story.work()
    story.recover()
    story.work()
    assert len(story.heard()) == 2
    assert story.notifications() == [("opened", 0, "sent"), ("resolved", 0, "sent")]


def test_an_incident_that_is_over_before_anybody_was_told_is_one_message(story, engine):
    story.fire()
    story.recover()
    assert story.work() == 2
    assert len(story.heard()) == 1
    assert sorted(story.notifications()) == [("opened", 0, "superseded"), ("resolved", 0, "sent")]
    assert set(states(engine).values()) == {"done"}


def test_what_a_retry_finds_resolved_is_superseded(story, engine):
    story.slack.answer(SERVER_ERROR)
    story.fire()
    story.work()
    story.recover()
    story.pass_time(60)
    story.work()
    assert len(story.heard()) == 1
    assert sorted(story.notifications()) == [("opened", 0, "superseded"), ("resolved", 0, "sent")]


def test_the_end_is_told_after_a_message_that_is_under_way(story, engine):
    """The worker of the first message is slow, and the incident resolves meanwhile."""
    story.fire()
    (opened,) = claim(engine, "notify-slack", 1, 60, "a slow worker")
    story.recover()
    assert story.work() == 1  # `resolved` had its turn and waits
    assert story.heard() == []
    handlers = build_handlers(story.runtime)
    settle(engine, handlers, [(opened, attempt(handlers, opened, Backoff()))], NEVER)
    story.pass_time(10)
    story.work()
    assert sorted(story.notifications()) == [("opened", 0, "superseded"), ("resolved", 0, "sent")]


def test_a_message_that_ends_while_it_is_asked_about_is_not_overlooked(story, engine):
    """Else the end would be told beside the thread of the beginning."""
    story.fire()
    handlers = build_handlers(story.runtime)
    (opened,) = claim(engine, "notify-slack", 1, 60, "w")
    sent = attempt(handlers, opened, Backoff())
    story.recover()
    (resolved,) = claim(engine, "notify-slack", 1, 60, "w")

    def record(connection, cursor, statement, *rest):
        if "FROM notifications" in statement and not ended:
            ended.append(opened)
            settle(engine, handlers, [(opened, sent)], NEVER)

    ended: list[ClaimedJob] = []
    event.listen(story.runtime.engine, "after_cursor_execute", record)
    completion = attempt(handlers, resolved, Backoff())
    event.remove(story.runtime.engine, "after_cursor_execute", record)
    assert ended
    assert completion.outcome.verdict is Verdict.WAIT


def test_the_end_does_not_wait_for_a_worker_that_died(story, engine):
    story.fire()
    claim(engine, "notify-slack", 1, 60, "a worker that dies")
    story.recover()
    story.pass_time(61)
    story.work()
    assert len(story.heard()) == 1


def test_while_alerts_keep_coming_an_update_says_what_is_new(story, runtime):
    incident_id = story.fire(18, severity="warning")
    story.work()
    story.fire(12, severity="critical")
    acknowledge(runtime, incident_id, HUMAN)
    story.work()
    assert len(story.heard()) == 1  # not before the interval is over
    story.pass_time(INTERVAL)
    story.work()
    assert len(story.heard()) == 2
    for phrase in ("12 more alerts (30 in all)", "severity warning → critical", "acknowledged by ann"):
        assert phrase in story.last_message()


def test_updates_go_on_and_each_counts_from_the_one_before(story, engine):
    story.fire(2)
    story.work()
    for count in (3, 4):
        story.fire(count)
        story.pass_time(INTERVAL)
        story.work()
        assert f"{count} more alerts" in story.last_message()
    assert story.notifications() == [("opened", 0, "sent"), ("updated", 1, "sent"), ("updated", 2, "sent")]


def test_a_follow_up_that_is_there_already_is_left_as_it_is(story, engine):
    incident_id = story.fire()
    add(engine, request(f"notify:{incident_id}:slack:updated:1", queue="elsewhere"))
    story.work()
    assert set(states(engine).values()) == {"done", "ready"}
    assert story.notifications() == [("opened", 0, "sent")]


def test_without_news_there_is_no_update_and_no_attempt_is_lost(story, engine):
    story.fire()
    story.work()
    for _ in range(20):
        story.pass_time(INTERVAL)
        assert story.work() == 1
    assert len(story.heard()) == 1
    update = next(job for job in rows(engine) if job["idempotency_key"].endswith(":updated:1"))
    assert (update["state"], update["attempt"], update["last_error"]) == ("ready", 0, None)
    story.fire()
    story.pass_time(INTERVAL)
    story.work()
    assert len(story.heard()) == 2


def test_updates_end_with_the_incident(story, engine):
    story.fire()
    story.work()
    story.recover()
    story.work()
    story.pass_time(INTERVAL)
    story.work()
    assert len(story.heard()) == 2
    assert story.notifications()[-1] == ("updated", 1, "superseded")
    assert set(states(engine).values()) == {"done"}


def test_an_incident_that_people_resolve_and_close_is_told_as_resolved_once(story, runtime):
    incident_id = story.fire()
    story.work()
    resolve(runtime, incident_id, HUMAN)
    close(runtime, incident_id, HUMAN)
    story.work()
    story.work()
    assert len(story.heard()) == 2


def test_what_is_recorded_as_sent_is_never_sent_again(story, engine):
    """The job runs once more although its message is recorded, as after a restored backup."""
    story.fire()
    story.work()
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'ready', attempt = 0"))
    story.work()
    assert len(story.slack.messages()) == 1
    assert story.notifications() == [("opened", 0, "sent")]


def test_a_worker_that_dies_before_it_sends_costs_nothing(story, engine):
    story.fire()
    claim(engine, "notify-slack", 1, 60, "a worker that dies")
    story.pass_time(61)
    story.work()
    assert len(story.heard()) == 1
    assert story.fetch("SELECT attempt FROM notifications") == [(2,)]


def test_a_worker_that_lost_its_lease_cannot_record_and_starts_no_second_chain(story, engine):
    story.fire()
    (stale,) = claim(engine, "notify-slack", 1, 60, "a worker that hangs")
    handlers = build_handlers(story.runtime)
    late = attempt(handlers, stale, Backoff())  # it sends, and sleeps before it can record
    story.pass_time(61)
    story.work()
    settle(engine, handlers, [(stale, late)], NEVER)
    assert story.fetch("SELECT attempt, state FROM notifications") == [(2, "sent")]
    assert story.events().count("notification.delivered") == 1
    assert len([key for key in states(engine) if ":updated:" in key]) == 1


def test_a_message_about_an_incident_that_is_gone_is_dropped(story, engine):
    key = "notify:INC-0:slack:opened"
    payload = {"channel": "slack", "template": "opened", "sequence": 0}
    add(engine, request(key, queue="notify-slack", payload=payload, incident_id="INC-0"))
    assert story.work() == 1
    assert states(engine) == {key: "done"}
    assert story.heard() == []


def test_a_link_leads_to_the_receiver_only_if_its_address_is_known(engine, make_runtime, slack):
    story = Story(make_runtime(engine, SLACK_WEBHOOK_URL=slack.url), slack)
    incident_id = story.fire()
    story.work()
    assert "/api/v1/incidents/" not in story.last_message()
    story.recover()
    run_due(make_runtime(engine, SLACK_WEBHOOK_URL=slack.url, PUBLIC_URL="https://alerts.example/"))
    assert f"https://alerts.example/api/v1/incidents/{incident_id}" in story.last_message()


def test_a_host_whose_clock_is_an_hour_off_sends_neither_early_nor_late(engine, runtime, slack):
    ahead = dataclasses.replace(runtime, clock=lambda: runtime.clock() + timedelta(hours=1))
    story = Story(ahead, slack)
    story.fire()
    story.work()
    story.fire()
    assert story.work() == 0
    story.pass_time(INTERVAL)
    story.work()
    assert len(story.heard()) == 2

"""What becomes of a message that Slack does not take, or that no worker lives to send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from receiver import metrics
from receiver.services.jobs import retry_jobs
from receiver.worker.dispatcher import claim
from receiver.worker.handlers import build_handlers
from receiver.worker.loop import Worker
from receiver.worker.reaper import reap
from tests.builders.flow import rules_file
from tests.builders.jobs import add, request, rows, states
from tests.builders.story import Story
from tests.fakes.handlers import Probe
from tests.fakes.polling import wait_until
from tests.fakes.slack import CHANNEL_NOT_FOUND, SlackServer, hang, rate_limited
from tests.fixtures.runtimes import RuntimeFactory


@pytest.fixture
def story(engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer, tmp_path: Path) -> Story:
    return Story(make_runtime(engine, SLACK_WEBHOOK_URL=slack.url, RULES=rules_file(tmp_path)), slack)


def test_slack_is_not_asked_again_before_the_time_it_names(story, engine):
    story.slack.answer(rate_limited(120))
    story.fire()
    story.work()
    story.pass_time(119)
    assert story.work() == 0
    story.pass_time(10)
    assert story.work() == 1
    assert len(story.heard()) == 1


def test_a_permanent_refusal_is_a_dead_letter_at_once_with_its_reason(story, engine):
    story.slack.answer(CHANNEL_NOT_FOUND)
    before = metrics.NOTIFICATIONS.labels("slack", "dead")._value.get()
    story.fire()
    assert story.work() == 1
    (job,) = rows(engine)
    assert job["state"] == "dead"
    assert "channel" in job["last_error"]
    (found,) = story.fetch("SELECT state, detail, alert_count FROM notifications")
    assert found == ("dead", job["last_error"], 1)
    assert story.events() == ["notification.requested", "notification.failed"]
    (payload,) = story.fetch("SELECT payload FROM events WHERE type = 'notification.failed'")
    assert json.loads(payload[0])["reason"] == job["last_error"]
    assert metrics.NOTIFICATIONS.labels("slack", "dead")._value.get() - before == 1
    assert story.slack.url not in str(job)


def test_a_dead_letter_that_people_retry_is_sent_and_recorded_as_sent(story, engine):
    story.slack.answer(CHANNEL_NOT_FOUND)
    story.fire()
    story.work()
    assert retry_jobs(engine, None, all_dead=True) == 1
    story.work()
    assert len(story.heard()) == 1
    assert story.notifications() == [("opened", 0, "sent")]
    assert "notify" in next(key for key in states(engine) if key.endswith(":updated:1"))


def test_a_dead_letter_can_die_again(story, engine):
    story.slack.answer_always(CHANNEL_NOT_FOUND)
    story.fire()
    story.work()
    retry_jobs(engine, None, all_dead=True)
    story.work()
    assert story.notifications() == [("opened", 0, "dead")]
    assert story.events().count("notification.failed") == 2


def test_a_message_that_no_worker_survives_is_known_to_be_dead(story, engine):
    story.fire()
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET max_attempts = 1"))
    claim(engine, "notify-slack", 1, 60, "a worker that dies")
    story.pass_time(61)
    reap(engine, build_handlers(story.runtime))
    assert story.notifications() == [("opened", 0, "dead")]
    assert story.events()[-1] == "notification.failed"


def test_slack_that_hangs_holds_up_no_other_queue(story, engine):
    story.slack.answer_always(hang(60))
    story.fire()
    probe = Probe()
    handlers = {"notify": _ByQueue(build_handlers(story.runtime)["notify"], probe)}
    worker = Worker(story.runtime, handlers=handlers, queues=("notify-slack", "other"))
    worker.start()
    story.slack.wait_for(1)
    add(engine, *[request(f"k{number}", queue="other") for number in range(20)])
    wait_until(lambda: [states(engine)[f"k{number}"] for number in range(20)] == ["done"] * 20)
    assert next(state for key, state in states(engine).items() if key.endswith(":opened")) == "running"
    assert not worker.stop(1.0)


class _ByQueue:
    """Slack's jobs to the real handler, all others to a probe."""

    def __init__(self, real: Any, probe: Probe) -> None:
        self._real, self._probe = real, probe

    def run(self, job):
        return (self._real if job.queue == "notify-slack" else self._probe).run(job)

    def bury(self, connection, job, reason):
        raise AssertionError("nothing dies here")

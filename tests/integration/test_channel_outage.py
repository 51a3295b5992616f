"""A channel that takes nothing: its messages wait for it, and come when it is back."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sqlalchemy import Engine

from receiver.domain.retry import Backoff
from receiver.worker.loop import Worker
from receiver.worker.outage import MESSAGES
from tests.builders.flow import rules_file
from tests.builders.story import Story
from tests.fakes.polling import wait_until
from tests.fakes.slack import OK, Answer, SlackServer
from tests.fixtures.runtimes import RuntimeFactory

INCIDENTS = 40


def test_it_is_asked_seldom_and_told_everything_when_it_is_back(
    engine: Engine,
    make_runtime: RuntimeFactory,
    slack: SlackServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    settings = {"SLACK_WEBHOOK_URL": slack.url, "RULES": rules_file(tmp_path), "NOTIFY_PER_MINUTE": "1000"}
    story = Story(make_runtime(engine, **settings), slack)
    slack.answer_always(Answer(503, "unavailable"))
    for number in range(INCIDENTS):
        story.fire(service=f"svc-{number}")
    worker = Worker(story.runtime, queues=("notify-slack",), backoff=Backoff(0.01, 0.02))
    worker.start()

    def pauses() -> list[float]:
        return [one.__dict__["pause_seconds"] for one in caplog.records if one.message == "channel.paused"]

    wait_until(lambda: len(pauses()) == 2)
    # Those that began the first pause, what was under way then, and the same for the second.
    assert len(slack.messages()) <= MESSAGES + 4 * story.runtime.settings.worker_threads
    assert pauses() == [1.0, 2.0]
    slack.answer_always(OK)
    wait_until(lambda: len(slack.delivered()) == INCIDENTS, 30)
    assert worker.stop(10)
    assert len(slack.delivered()) == INCIDENTS
    assert {row[2] for row in story.notifications()} == {"sent"}

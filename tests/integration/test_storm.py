"""More incidents than a channel is to have messages: few messages, and no incident is lost or told twice."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text

from receiver.domain.jobs import ClaimedJob
from receiver.domain.retry import Backoff
from receiver.runtime import Runtime
from receiver.services.jobs import retry_jobs
from receiver.worker.attempt import attempt
from receiver.worker.dispatcher import claim
from receiver.worker.handlers import build_handlers
from receiver.worker.loop import run_due
from receiver.worker.recorder import settle
from tests.builders import bodies
from tests.builders.flow import Storm, let_time_pass, mentions, rules_file, told
from tests.builders.jobs import rows, states
from tests.fakes.slack import CHANNEL_NOT_FOUND, SERVER_ERROR, SlackServer
from tests.fixtures.runtimes import RuntimeFactory

LIMIT = 5
QUEUE = "notify-slack"
NEVER = threading.Event()


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer, tmp_path) -> Runtime:
    return make_runtime(
        engine, SLACK_WEBHOOK_URL=slack.url, NOTIFY_PER_MINUTE=str(LIMIT), RULES=rules_file(tmp_path)
    )


@pytest.fixture
def storm(runtime: Runtime) -> Storm:
    return Storm(runtime)


def bundles(engine: Engine) -> list[str]:
    return [key for key in states(engine) if key.startswith("bundle:")]


def test_three_hundred_incidents_are_a_few_messages_that_name_each_once(storm, runtime, engine, slack):
    incident_ids = storm.breaks(300)
    run_due(runtime)
    assert len(slack.delivered()) == LIMIT
    let_time_pass(engine, 15)
    run_due(runtime)
    assert len(slack.delivered()) == LIMIT + 6  # a bundle holds fifty
    assert Counter(told(engine, "slack", "opened").values()) == {"sent": LIMIT, "bundled": 300 - LIMIT}
    members = text("SELECT COUNT(*) FROM notifications WHERE provider_ref = :key")
    with engine.connect() as connection:
        sizes = [connection.execute(members, {"key": key}).scalar_one() for key in bundles(engine)]
    assert sum(sizes) == 300 - LIMIT
    assert len(incident_ids) == 300


def test_every_incident_is_named_in_exactly_one_message(storm, runtime, engine, slack):
    incident_ids = storm.breaks(LIMIT + 10)
    run_due(runtime)
    let_time_pass(engine, 15)
    run_due(runtime)
    assert set(mentions(engine, slack, incident_ids).values()) == {1}


def test_what_is_told_in_a_bundle_is_an_event_of_each_incident(storm, runtime, engine):
    storm.breaks(LIMIT + 3)
    run_due(runtime)
    let_time_pass(engine, 15)
    run_due(runtime)
    query = text("SELECT incident_id, payload FROM events WHERE type = 'notification.delivered'")
    with engine.connect() as connection:
        found = connection.execute(query).all()
        unnotified = connection.execute(text("SELECT 1 FROM incidents WHERE last_notified_at IS NULL")).all()
    assert len({incident_id for incident_id, _ in found}) == len(found) == LIMIT + 3
    assert sum("bundle" in json.loads(payload) for _, payload in found) == 3
    assert unnotified == []


def test_a_minute_later_messages_go_out_one_by_one_again(storm, runtime, engine, slack):
    storm.breaks(LIMIT + 1)
    run_due(runtime)
    let_time_pass(engine, 61)
    run_due(runtime)
    storm.breaks(2, name="later")
    run_due(runtime)
    assert len(slack.delivered()) == LIMIT + 1 + 2


@pytest.mark.parametrize("how", ["open", "told"])
def test_the_ends_of_bundled_incidents_are_not_told_one_by_one(storm, runtime, engine, slack, how):
    count = LIMIT + 20
    storm.breaks(count)
    run_due(runtime)
    if how == "told":
        let_time_pass(engine, 61)
        run_due(runtime)
        assert len(slack.delivered()) == LIMIT + 1
    storm.ends(count)
    run_due(runtime)
    let_time_pass(engine, 61)
    run_due(runtime)
    let_time_pass(engine, 61)
    run_due(runtime)
    ends = Counter(told(engine, "slack", "resolved").values())
    if how == "told":
        # The message of the bundle was the first of this minute.
        assert ends == {"sent": LIMIT - 1, "bundled": 21}
        assert len(slack.delivered()) == LIMIT + 1 + LIMIT - 1 + 1
    else:  # nobody had heard of them: there is nothing to take back
        assert ends == {"bundled": LIMIT, "superseded": 20}
        assert len(slack.delivered()) == LIMIT + 1
    assert {job["state"].value for job in rows(engine) if "updated" not in job["idempotency_key"]} == {"done"}


def test_a_bundle_that_leaves_some_out_while_that_of_their_ends_is_made_is_not_overlooked(
    storm, runtime, engine, slack
):
    handlers = build_handlers(runtime)
    storm.breaks(LIMIT + 3)
    run_due(runtime)
    storm.ends(LIMIT + 3)
    let_time_pass(engine, 15)
    due = claim(engine, QUEUE, 20, 60, "w")
    (opened,) = [job for job in due if job.idempotency_key.startswith("bundle:")]
    others = [job for job in due if job is not opened]
    left_out = attempt(handlers, opened, Backoff())
    settle(engine, handlers, [(job, attempt(handlers, job, Backoff())) for job in others], NEVER)
    let_time_pass(engine, 15)
    ends = next(job for job in claim(engine, QUEUE, 20, 60, "w") if job.idempotency_key.startswith("bundle:"))

    def record(connection, cursor, statement, *rest):
        if statement.startswith("SELECT notifications.incident_id") and not ended:
            ended.append(opened)
            settle(engine, handlers, [(opened, left_out)], NEVER)

    ended: list[ClaimedJob] = []
    event.listen(runtime.engine, "after_cursor_execute", record)
    completion = attempt(handlers, ends, Backoff())
    event.remove(runtime.engine, "after_cursor_execute", record)
    assert ended
    told_of = {"the bundle that tells of the beginnings has not ended yet", "sent, about 5 incidents"}
    assert completion.outcome.reason in told_of


def test_an_incident_that_is_over_when_its_bundle_goes_out_is_left_out(storm, runtime, engine, slack):
    """Nobody told the channel's worker of the end: the rules ask for no message about it."""
    storm.breaks(LIMIT + 2)
    run_due(runtime)
    with engine.begin() as connection:
        connection.execute(text("UPDATE incidents SET status = 'resolved' WHERE service = 's6'"))
    let_time_pass(engine, 15)
    run_due(runtime)
    assert Counter(told(engine, "slack", "opened").values()) == {"sent": LIMIT, "bundled": 1, "superseded": 1}


def test_p0_is_told_by_itself_however_many_there_are(storm, runtime, engine, slack):
    storm.breaks(LIMIT + 4)
    run_due(runtime)
    storm.breaks(3, severity="critical", name="worst")
    run_due(runtime)
    assert len(slack.delivered()) == LIMIT + 3
    assert Counter(told(engine, "slack", "opened").values()) == {"sent": LIMIT + 3, "bundled": 4}


def test_a_dead_bundle_buries_the_message_of_each_of_its_incidents(storm, runtime, engine, slack):
    storm.breaks(LIMIT + 4)
    run_due(runtime)
    slack.answer(CHANNEL_NOT_FOUND)
    let_time_pass(engine, 15)
    run_due(runtime)
    assert Counter(told(engine, "slack", "opened").values()) == {"sent": LIMIT, "dead": 4}
    with engine.connect() as connection:
        query = text("SELECT incident_id, payload FROM events WHERE type = 'notification.failed'")
        failed = connection.execute(query).all()
    assert len({incident_id for incident_id, _ in failed}) == 4
    assert all("channel_not_found" in json.loads(payload)["reason"] for _, payload in failed)


def test_a_dead_bundle_that_people_retry_is_told(storm, runtime, engine, slack):
    incident_ids = storm.breaks(LIMIT + 4)
    run_due(runtime)
    slack.answer(CHANNEL_NOT_FOUND)
    let_time_pass(engine, 15)
    run_due(runtime)
    retry_jobs(engine, None, all_dead=True)
    run_due(runtime)
    assert Counter(told(engine, "slack", "opened").values()) == {"sent": LIMIT, "bundled": 4}
    assert set(mentions(engine, slack, incident_ids).values()) == {1}


def test_a_bundle_that_slack_does_not_take_at_once_holds_the_same_incidents_later(
    storm, runtime, engine, slack
):
    incident_ids = storm.breaks(LIMIT + 4)
    run_due(runtime)
    slack.answer(SERVER_ERROR)
    let_time_pass(engine, 15)
    run_due(runtime)
    more = storm.breaks(2, name="more")  # the bundle is closed: they go out by themselves
    let_time_pass(engine, 120)
    run_due(runtime)
    assert set(mentions(engine, slack, [*incident_ids, *more]).values()) == {1}


def test_a_worker_that_dies_after_it_has_bundled_loses_nothing_and_tells_nothing_twice(
    storm, runtime, engine, slack
):
    storm.breaks(LIMIT)
    run_due(runtime)
    (incident_id,) = storm.breaks(1, name="last")
    (job,) = claim(engine, QUEUE, 1, 60, "a worker that dies")
    attempt(build_handlers(runtime), job, Backoff())
    assert told(engine, "slack", "opened")[incident_id] == "bundled"
    let_time_pass(engine, 61)
    run_due(runtime)
    run_due(runtime)
    assert set(states(engine).values()) - {"done"} <= {"ready"}  # updates wait
    assert mentions(engine, slack, [incident_id])[incident_id] == 1


def test_a_worker_that_lost_its_lease_bundles_nothing(storm, runtime, engine, slack):
    storm.breaks(LIMIT)
    run_due(runtime)
    (incident_id,) = storm.breaks(1, name="last")
    (stale,) = claim(engine, QUEUE, 1, 60, "a worker that hangs")
    let_time_pass(engine, 61)
    run_due(runtime)  # a minute later there is room for it
    assert told(engine, "slack", "opened")[incident_id] == "sent"
    storm.breaks(LIMIT, name="filler")
    run_due(runtime)
    handlers = build_handlers(runtime)
    late = attempt(handlers, stale, Backoff())
    settle(engine, handlers, [(stale, late)], NEVER)
    assert told(engine, "slack", "opened")[incident_id] == "sent"
    assert mentions(engine, slack, [incident_id])[incident_id] == 1


def test_bundled_incidents_have_updates_like_any_other(storm, runtime, engine, slack):
    storm.breaks(LIMIT + 1)
    run_due(runtime)
    let_time_pass(engine, 61)
    run_due(runtime)
    updates = [job for job in rows(engine) if ":updated:1" in job["idempotency_key"]]
    assert len(updates) == LIMIT + 1


def test_updates_wait_while_the_channel_has_no_room(storm, runtime, engine, slack):
    storm.breaks(1)
    run_due(runtime)
    again = bodies.alert(severity="warning", service="s0", instance="another")
    storm.send([again])
    let_time_pass(engine, 1790)
    storm.breaks(LIMIT, name="others")
    run_due(runtime)
    let_time_pass(engine, 10)
    run_due(runtime)
    assert told(engine, "slack", "updated") == {}
    let_time_pass(engine, 60)
    run_due(runtime)
    assert list(told(engine, "slack", "updated").values()) == ["sent"]


def test_workers_side_by_side_keep_the_limit_and_put_each_incident_somewhere_once(
    engine, runtime, make_runtime, slack, storm, tmp_path
):
    incident_ids = storm.breaks(50)
    workers = [
        make_runtime(
            engine, SLACK_WEBHOOK_URL=slack.url, NOTIFY_PER_MINUTE=str(LIMIT), RULES=rules_file(tmp_path)
        )
        for _ in range(4)
    ]
    threads = [threading.Thread(target=run_due, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_due(runtime)
    assert len(slack.delivered()) == LIMIT
    let_time_pass(engine, 15)
    run_due(runtime)
    assert Counter(told(engine, "slack", "opened").values()) == {"sent": LIMIT, "bundled": 50 - LIMIT}
    assert len(bundles(engine)) == 1
    assert len(incident_ids) == 50


def test_a_host_whose_clock_is_an_hour_off_keeps_the_same_limit(engine, runtime, slack, storm):
    storm.breaks(LIMIT)
    run_due(runtime)
    ahead = dataclasses.replace(runtime, clock=lambda: runtime.clock() + timedelta(hours=1))
    storm.breaks(3, name="more")
    run_due(ahead)
    assert len(slack.delivered()) == LIMIT


def test_incidents_that_open_and_end_while_many_workers_tell_of_them_are_all_accounted_for(
    engine, runtime, make_runtime, slack, storm, tmp_path
):
    # A slow machine may be in the middle of one message while several waves, of twenty seconds each, go by.
    patient = {"WORKER_LEASE_SECONDS": "600"}
    settings = {"NOTIFY_PER_MINUTE": str(LIMIT), "RULES": rules_file(tmp_path)} | patient
    workers = [make_runtime(engine, SLACK_WEBHOOK_URL=slack.url, **settings) for _ in range(3)]
    over = threading.Event()

    def work(one: Runtime) -> None:
        while not over.is_set():
            run_due(one)

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    incident_ids = []
    for wave in range(4):
        incident_ids += storm.breaks(15, name=f"wave{wave}-")
        storm.ends(5, name=f"wave{wave}-")
        let_time_pass(engine, 20)
    over.set()
    for thread in threads:
        thread.join()
    for wave in range(4):
        storm.ends(15, name=f"wave{wave}-")
    for _ in range(4):
        let_time_pass(engine, 61)
        run_due(runtime)
    opened, resolved = told(engine, "slack", "opened"), told(engine, "slack", "resolved")
    assert set(opened) == set(resolved) == set(incident_ids)
    assert {*opened.values(), *resolved.values()} <= {"sent", "bundled", "superseded"}
    silent = [one for one, state in resolved.items() if state == "superseded"]
    assert all(opened[one] == "superseded" for one in silent)
    named = mentions(engine, slack, incident_ids)
    for one in incident_ids:
        messages = (opened[one], resolved[one])
        assert named[one] <= sum(state in ("sent", "bundled") for state in messages)
    ended = {job["state"].value for job in rows(engine) if ":updated:" not in job["idempotency_key"]}
    assert ended == {"done"}

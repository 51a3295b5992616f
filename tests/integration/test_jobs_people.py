"""What people see of jobs, and what they can do about dead ones."""

from __future__ import annotations

import threading

import pytest

from receiver.domain.jobs import JobState, Outcome, Verdict
from receiver.services.job_handler import Completion
from receiver.services.jobs import list_jobs, queue_depths, retry_jobs
from receiver.worker.dispatcher import claim
from receiver.worker.recorder import settle
from tests.builders.jobs import QUEUE, add, pass_time, request, row, states

DEAD = Completion(Outcome(Verdict.DEAD, "channel_not_found"))
NEVER = threading.Event()


@pytest.fixture
def dead_ids(engine):
    """Two dead letters, between a job that is done and one that is ready."""
    add(engine, request("done"), request("dead-1"), request("dead-2"))
    done, *dead = claim(engine, QUEUE, 3, 60, "w")
    settle(engine, {}, [(done, Completion(Outcome(Verdict.DONE))), *((job, DEAD) for job in dead)], NEVER)
    add(engine, request("ready"))
    return [job.job_id for job in dead]


def test_dead_letters_are_listed_newest_first_with_their_reason(engine, dead_ids):
    found = list_jobs(engine, state="dead", queue=None, limit=10)
    assert [job.job_id for job in found] == dead_ids[::-1]
    assert {job.last_error for job in found} == {"channel_not_found"}
    assert {job.finished_at is not None for job in found} == {True}


def test_a_list_keeps_to_its_filters_and_its_limit(engine, dead_ids):
    add(engine, request("elsewhere", queue="other"))
    assert [job.queue for job in list_jobs(engine, queue="other")] == ["other"]
    assert len(list_jobs(engine)) == 5
    assert len(list_jobs(engine, limit=2)) == 2
    assert list_jobs(engine, state="unknown") == []


def test_a_retried_dead_letter_runs_again_with_all_its_attempts(engine, dead_ids):
    assert retry_jobs(engine, dead_ids[:1]) == 1
    assert states(engine) == {"done": "done", "dead-1": "ready", "dead-2": "dead", "ready": "ready"}
    (again,) = (job for job in claim(engine, QUEUE, 5, 60, "w") if job.job_id == dead_ids[0])
    assert again.attempt == 1


def test_only_dead_letters_are_retried(engine, dead_ids):
    everything = [job.job_id for job in list_jobs(engine)]
    assert retry_jobs(engine, everything) == 2
    assert states(engine)["done"] == "done"
    assert row(engine, "ready")["attempt"] == 0


def test_all_dead_letters_can_be_retried_at_once(engine, dead_ids):
    assert retry_jobs(engine, None, all_dead=True) == 2
    assert retry_jobs(engine, None, all_dead=True) == 0


def test_naming_none_retries_none(engine, dead_ids):
    assert retry_jobs(engine, None) == retry_jobs(engine, []) == 0
    assert JobState.DEAD.value in states(engine).values()


def test_depth_and_age_of_each_queue(engine, dead_ids):
    add(engine, request("later", delay_seconds=3600), request("elsewhere", queue="another"))
    pass_time(engine, 100)
    another, probe = queue_depths(engine)
    assert (another.queue, probe.queue) == ("another", QUEUE)
    assert probe.jobs == {"dead": 2, "ready": 2}  # what is done is not counted
    assert 100 <= probe.oldest_due_seconds < 200
    claim(engine, QUEUE, 5, 60, "w")
    probe = queue_depths(engine)[1]
    assert probe.jobs == {"dead": 2, "ready": 1, "running": 1}
    assert probe.oldest_due_seconds == 0  # the one that is left is not due


def test_an_empty_table_has_no_queues(engine):
    assert queue_depths(engine) == []

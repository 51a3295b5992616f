"""How many jobs of a queue a worker holds."""

from __future__ import annotations

from receiver.worker.pace import LARGEST_WIDTH, Pace


def test_a_queue_that_is_not_known_yet_gets_a_job_per_thread():
    assert Pace(4).width() == 4


def test_quick_jobs_are_taken_by_the_batch():
    pace = Pace(4)
    for _ in range(50):
        pace.note(0.0005)
    assert pace.width() == LARGEST_WIDTH


def test_one_slow_job_ends_taking_ahead():
    pace = Pace(4)
    for _ in range(50):
        pace.note(0.0005)
    pace.note(2.0)
    assert pace.width() == 4


def test_a_queue_that_was_slow_once_is_trusted_again():
    pace = Pace(4)
    pace.note(20.0)
    for _ in range(100):
        pace.note(0.0005)
    assert pace.width() == LARGEST_WIDTH


def test_a_job_that_hangs_ends_taking_ahead_before_it_ends():
    pace = Pace(4)
    for _ in range(50):
        pace.note(0.0005)
    assert pace.width(longest_running_seconds=1.0) == 4


def test_a_thread_takes_no_more_than_its_share_nor_than_it_can_do_at_once():
    pace = Pace(4)
    assert pace.handful(100) == 1  # nothing is known of the queue yet
    for _ in range(50):
        pace.note(0.01)
    assert (pace.handful(1), pace.handful(10), pace.handful(100)) == (1, 3, 19)
    for _ in range(50):
        pace.note(0.3)
    assert pace.handful(100) == 1

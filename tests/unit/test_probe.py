"""Asking a database that may hang."""

import threading

import pytest

from receiver.errors import StorageUnavailable
from receiver.services.probe import Probe
from tests.fakes.polling import wait_until


class Question:
    """Counts how often it is asked; waits while `answers` is not set."""

    def __init__(self):
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self):
        self.asked += 1
        assert self.answers.wait(20)
        return self.asked


def waiting_for(probe):
    """How many wait for the answer that is under way."""
    return 0 if probe._pending is None else len(probe._pending._condition._waiters)


@pytest.fixture
def question():
    made = Question()
    yield made
    made.answers.set()


def test_an_answer_is_kept_for_a_while_and_then_asked_for_again(question):
    kept = Probe(question, keep_seconds=100)
    assert [kept(), kept()] == [1, 1]
    fresh = Probe(question, keep_seconds=0)
    assert [fresh(), fresh()] == [2, 3]


def test_a_database_that_hangs_is_given_up_on_and_asked_only_once(question):
    question.answers.clear()
    probe = Probe(question, patience_seconds=0.05)
    for _ in range(3):
        with pytest.raises(StorageUnavailable, match=r"0\.05 seconds"):
            probe()
    assert question.asked == 1


def test_it_recovers_when_the_database_answers_again(question):
    question.answers.clear()
    probe = Probe(question, patience_seconds=0.05)
    with pytest.raises(StorageUnavailable):
        probe()
    question.answers.set()
    wait_until(lambda: _answers(probe))


def _answers(probe):
    try:
        return probe() >= 1
    except StorageUnavailable:
        return False


def test_those_who_ask_at_the_same_time_share_one_answer(question):
    question.answers.clear()
    probe = Probe(question, patience_seconds=20)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(probe())) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: waiting_for(probe) == 8)  # else one may ask only after the answer, and anew
    question.answers.set()
    for thread in threads:
        thread.join(20)
    assert (answers, question.asked) == ([1] * 8, 1)


def test_what_the_question_raises_is_raised_to_who_asked():
    def fail():
        raise ValueError("no table")

    with pytest.raises(ValueError, match="no table"):
        Probe(fail)()

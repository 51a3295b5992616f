"""When a queue keeps silent because its other side takes nothing."""

from __future__ import annotations

import pytest

from receiver.worker import outage
from receiver.worker.outage import LONGEST_PAUSE_SECONDS, MESSAGES, Outage


class Clock:
    """Monotonic seconds that the test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(outage, "time", made)
    return made


def failed(watch: Outage, *job_ids: int) -> list[float]:
    return [watch.note(one, is_reached=False) for one in job_ids]


def test_when_several_messages_in_a_row_fail_the_others_wait(clock: Clock) -> None:
    pauses = failed(Outage(), *range(MESSAGES))
    assert pauses == [0.0] * (MESSAGES - 1) + [1.0]


def test_one_message_that_fails_again_and_again_holds_up_no_other(clock: Clock) -> None:
    assert failed(Outage(), *[7] * 50) == [0.0] * 50


def test_what_the_other_side_takes_in_between_starts_the_count_anew(clock: Clock) -> None:
    watch = Outage()
    failed(watch, *range(MESSAGES - 1))
    assert watch.note(50, is_reached=True) == 0.0
    assert failed(watch, *range(MESSAGES - 1)) == [0.0] * (MESSAGES - 1)


def test_what_was_not_sent_says_nothing(clock: Clock) -> None:
    watch = Outage()
    failed(watch, *range(MESSAGES - 1))
    assert watch.note(50, is_reached=None) == 0.0
    assert failed(watch, 51) == [1.0]


def test_each_pause_is_twice_as_long_up_to_a_limit_until_something_is_taken(clock: Clock) -> None:
    watch = Outage()
    found = failed(watch, *range(MESSAGES))[-1:]
    for number in range(5):
        clock.now += found[-1]
        found += failed(watch, number)
    assert found == [1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    watch.note(1, is_reached=True)
    clock.now += LONGEST_PAUSE_SECONDS
    assert failed(watch, *range(MESSAGES))[-1] == 1.0


def test_what_was_under_way_when_a_pause_began_does_not_lengthen_it(clock: Clock) -> None:
    watch = Outage()
    failed(watch, *range(MESSAGES))
    assert failed(watch, 60, 61, 62) == [0.0] * 3
    clock.now += 1.0
    assert failed(watch, 63) == [2.0]

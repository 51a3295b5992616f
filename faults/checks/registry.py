"""Which checkers there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.checks import outside, processes, stored
from faults.checks.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Check:
    """A checker. `is_timed`: it depends on how busy the machine is with other things."""

    name: str
    title: str
    run: Callable[[Evidence], list[str]]
    is_timed: bool = False


CHECKS = (
    Check("C1", "every 2xx is stored, byte for byte", stored.every_2xx_is_stored),
    Check("C2", "never two open incidents of a key", stored.never_two_open),
    Check("C3", "state is what the reference model says", stored.state_is_what_the_model_says),
    Check("C4", "every job ends", stored.every_job_ends),
    Check("C5", "no action runs twice", outside.actions_run_at_most_once),
    Check("C6", "no message is lost, or doubled without need", outside.messages_are_sent_once),
    Check("C7", "nothing is given away", processes.nothing_is_given_away),
    Check("C8", "nothing grows", processes.nothing_grows),
    Check("C9", "answers come in time", processes.answers_come_in_time, is_timed=True),
)

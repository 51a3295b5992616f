"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from faults.stack import Stack
from faults.verdict import Effort, Verdict


class Act(Protocol):
    """Does the harm for about `seconds`, and mends it; when it returns, all is as it was.

    `stack`: what the fault's own `stack` made; a Stack, if it has none.
    """

    def __call__(self, stack: Any, seconds: float) -> None: ...


class ByItself(Protocol):
    """Does all of it, from the start of what it needs to the verdict; `folder` is its own, and new."""

    def __call__(self, fault: Fault, effort: Effort, folder: Path) -> Verdict: ...


def always_possible() -> str:
    """For faults that need nothing of the machine."""
    return ""


def nothing(stack: Stack, seconds: float) -> None:
    """The act of what does all by itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `seconds`: how long it must last at least.

    `holds_up`: while it lasts requests may take longer than with all in order (never longer than 1.5 s).
    `is_saturated`: the load is as much as it takes, so that only that limit counts. `rate`, `largest_group`: a load
    of its own. `small_disk`: what lies on a disk of a few megabytes, `database` or `spool`. `impossible` says why it
    cannot be done on this machine, or nothing. `stack` is called with Stack's arguments. `is_short`: one of `--short`.
    """

    name: str
    title: str
    act: Act
    seconds: float
    holds_up: bool = True
    is_saturated: bool = False
    is_short: bool = False
    lease_seconds: float = 10
    cutter: bool = False
    rate: float | None = None
    largest_group: int | None = None
    small_disk: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Callable[[], Mapping[str, str]] = dict
    impossible: Callable[[], str] = always_possible
    stack: Callable[..., Stack] = Stack
    by_itself: ByItself | None = None

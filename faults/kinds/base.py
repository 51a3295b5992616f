"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from faults.stack import Stack


class Act(Protocol):
    """Does the harm for about `seconds`, and mends it; when it returns, all is as it was."""

    def __call__(self, stack: Stack, seconds: float) -> None: ...


def always_possible() -> str:
    """For faults that need nothing of the machine."""
    return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `seconds`: how long it must last at least.

    `holds_up`: while it lasts requests may take longer than with all in order (never longer than 1.5 s).
    `small_disk`: what lies on a disk of a few megabytes, `database` or `spool`. `impossible` says why it cannot be done
    on this machine, or nothing.
    """

    name: str
    title: str
    act: Act
    seconds: float
    holds_up: bool = True
    lease_seconds: float = 10
    cutter: bool = False
    small_disk: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Callable[[], Mapping[str, str]] = dict
    impossible: Callable[[], str] = always_possible

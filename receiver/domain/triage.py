"""What is said to an alert before it may open an incident or join one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from receiver.domain.alert import Alert


@dataclass(frozen=True, slots=True)
class Triage:
    """`is_ignored`: it gets no incident. `priority`: the one it counts with (None: its own). `rule`: who says so."""

    is_ignored: bool = False
    priority: str | None = None
    reason: str = ""
    rule: str = ""


# From an alert and the source it came by.
Judge = Callable[[Alert, str], Triage]

_NOTHING_TO_SAY = Triage()


def admit_everything(alert: Alert, source: str) -> Triage:
    """Every alert may open an incident, with its own priority."""
    return _NOTHING_TO_SAY

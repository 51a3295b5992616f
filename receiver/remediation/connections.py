"""What the actions that end connections of a database have in common: which ones they choose, and how they say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from receiver.domain.action import Order, Parameter, Plan, Result, Type

LONGEST_SECONDS = 7 * 86400
MOST_CONNECTIONS = 500
DEFAULT_MOST = 20
_NEVER_SECONDS = 2**31  # an age that no connection has

PARAMETERS = (
    Parameter(
        "idle_seconds",
        Type.INTEGER,
        "those that have done nothing for so long",
        least=1,
        most=LONGEST_SECONDS,
    ),
    Parameter(
        "running_seconds",
        Type.INTEGER,
        "those whose statement has run for so long",
        least=1,
        most=LONGEST_SECONDS,
    ),
    Parameter("user", Type.TEXT, "only those of this user"),
    Parameter("most", Type.INTEGER, "how many at most, the oldest first", least=1, most=MOST_CONNECTIONS),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A connection that is to go."""

    id: int
    user: str
    is_idle: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which connections: those idle or busy for so many seconds (None: none of these), of `user` (None: of any)."""

    idle_seconds: int | None
    running_seconds: int | None
    user: str | None
    most: int

    @classmethod
    def of(cls, order: Order) -> Choice:
        """What the order's parameters choose."""
        given = order.parameters
        return cls(
            given.get("idle_seconds"),
            given.get("running_seconds"),
            given.get("user"),
            given.get("most", DEFAULT_MOST),
        )

    def values(self) -> dict[str, Any]:
        """For a statement that asks for `idle`, `running`, `user` and `most`."""
        return {
            "user": self.user,
            "idle": _NEVER_SECONDS if self.idle_seconds is None else self.idle_seconds,
            "running": _NEVER_SECONDS if self.running_seconds is None else self.running_seconds,
            "most": self.most,
        }


def choice_problems(order: Order) -> list[str]:
    """One of the two ages must be given."""
    if "idle_seconds" not in order.parameters and "running_seconds" not in order.parameters:
        return ["parameters: needs idle_seconds, running_seconds, or both"]
    return ["user: is empty"] if order.parameters.get("user") == "" else []


def plan_of(place: str, found: Sequence[Found], open_now: int) -> Plan:
    """The plan to end these; `open_now`: how many connections there are altogether."""
    states: tuple[dict[str, Any], dict[str, Any]] = (
        {"connections": open_now, "chosen": _by_user(found)},
        {"connections": open_now - len(found)},
    )
    if not found:
        return Plan(f"no connection of {place} is to be ended", *states, is_noop=True)
    idle = sum(one.is_idle for one in found)
    whose = ", ".join(f"{user} {count}" for user, count in _by_user(found).items())
    text = f"end {len(found)} of {open_now} connections of {place}: {idle} idle, {len(found) - idle} busy ({whose})"
    return Plan(text, *states, token=tuple(one.id for one in found))


def result_of(place: str, ended: int, plan: Plan) -> Result:
    """The result of having ended so many."""
    left = plan.from_state["connections"] - ended
    return Result(f"ended {ended} connections of {place}", {"ended": ended, "connections": left})


def _by_user(found: Sequence[Found]) -> dict[str, int]:
    return dict(Counter(one.user for one in found).most_common(10))

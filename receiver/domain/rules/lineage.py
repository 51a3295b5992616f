"""Which rules stand behind an action: a rule that follows from itself would never end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.domain.events import Event

_MARK = ":"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which rule asked for an action (empty: a person did), and because of what: see `cause_of`."""

    rule: str
    cause: str


def cause_of(event: Event) -> str:
    """What names an event as the cause of something: it happens once in the life of its incident, or of its action."""
    return f"{event.type.value}{_MARK}{event.action_id}" if event.action_id else event.type.value


def rules_behind(origins: Mapping[str, Origin], action_id: str) -> frozenset[str]:
    """The rule that asked for the action, the one behind the action that this was an answer to, and so on.

    `origins`: of all actions of the incident, by their ids.
    """
    rules: set[str] = set()
    seen: set[str] = set()
    while action_id in origins and action_id not in seen:
        seen.add(action_id)
        origin = origins[action_id]
        rules.add(origin.rule)
        action_id = origin.cause.partition(_MARK)[2]
    return frozenset(rules - {""})

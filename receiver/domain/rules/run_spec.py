"""What a rule says about an action that it asks for. Its texts may hold `{{ ... }}` still: see `rendered`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from receiver.domain.action import Type
from receiver.domain.rules.problem import quoted
from receiver.domain.rules.render import View, render_query, render_text
from receiver.errors import RenderFailed

EXPIRES_AFTER_SECONDS = 600.0
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?")


_MEANT = {
    Type.INTEGER: "a whole number",
    Type.SECONDS: "a number of seconds",
    Type.FLAG: "true or false",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A text that has to give a value of some type once it is filled in."""

    source: str
    type: Type


def typed(text: str, type_: Type) -> int | float | bool | None:
    """What a text says, None if that is no value of this type, which is one of those that are no texts themselves."""
    text = text.strip()
    match type_:
        case Type.INTEGER if _WHOLE.fullmatch(text):
            return int(text)
        case Type.SECONDS if _NUMBER.fullmatch(text):
            return float(text)
        case Type.FLAG if text in ("true", "false"):
            return text == "true"
    return None


@dataclass(frozen=True, slots=True)
class VerifySpec:
    """How it is told that a completed action has helped, within so many seconds.

    Either the value of the PromQL `query` must come to fulfil `holds` (as in "< 0.9": see domain.comparison), or with
    `alert_resolved` the alerts of the incident must all resolve.
    """

    within_seconds: float
    query: str = ""
    holds: str = ""
    alert_resolved: bool = False

    def rendered(self, view: View) -> VerifySpec:
        """The same with the query filled in. Raises RenderFailed."""
        return VerifySpec(
            self.within_seconds, render_query(self.query, view), self.holds, self.alert_resolved
        )


@dataclass(frozen=True, slots=True)
class RunSpec:
    """An action by name, on which target, with which parameters.

    `is_dry_run`: it is only to be told what would be done. `needs_approval`: a person must allow it. A request that has
    not begun after `expires_after_seconds` is not run any more. `resolves`: success resolves the incident, after
    `verify` if there is one.
    """

    action: str
    target: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_dry_run: bool = False
    needs_approval: bool = False
    expires_after_seconds: float = EXPIRES_AFTER_SECONDS
    resolves: bool = False
    verify: VerifySpec | None = None

    def rendered(self, view: View) -> RunSpec:
        """The same with all texts filled in. Raises RenderFailed where the alert lacks what they name."""
        return RunSpec(
            action=self.action,
            target={name: render_text(text, view) for name, text in self.target.items()},
            parameters={name: _value(name, value, view) for name, value in self.parameters.items()},
            is_dry_run=self.is_dry_run,
            needs_approval=self.needs_approval,
            expires_after_seconds=self.expires_after_seconds,
            resolves=self.resolves,
            verify=self.verify.rendered(view) if self.verify else None,
        )


def _value(name: str, value: Any, view: View) -> Any:
    match value:
        case str():
            return render_text(value, view)
        case Mapping():
            return {key: _value(name, one, view) for key, one in value.items()}
        case Filled():
            text = render_text(value.source, view)
            found = typed(text, value.type)
            if found is None:
                raise RenderFailed(f"{name}: {quoted(text)} is not {_MEANT[value.type]}")
            return found
    return value

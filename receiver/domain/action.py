"""What an action of remediation is asked for, takes, would change and has done. The action itself: see remediation/."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """An action by name, the thing it is to act on, and how. `action_id`: the row's, from which new names are made."""

    action: str
    target: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    action_id: str = ""


class Type(StrEnum):
    """The kinds of values that a parameter may have."""

    INTEGER = "integer"
    SECONDS = "seconds"  # a number, with or without a fraction
    TEXT = "text"
    FLAG = "flag"
    TABLE = "table"  # texts by name

    def accepts(self, value: object) -> bool:
        """Whether `value`, as YAML or JSON gave it, is of this kind."""
        match self:
            case Type.INTEGER:
                return isinstance(value, int) and not isinstance(value, bool)
            case Type.SECONDS:
                is_number = isinstance(value, int | float) and not isinstance(value, bool)
                return is_number and math.isfinite(value)  # type: ignore[arg-type] # is_number says that it is one
            case Type.TEXT:
                return isinstance(value, str)
            case Type.FLAG:
                return isinstance(value, bool)
            case Type.TABLE:
                return isinstance(value, Mapping) and all(
                    isinstance(one, str) for pair in value.items() for one in pair
                )


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its kind, whether it must be given, its bounds (both included), what it is for."""

    name: str
    type: Type
    help: str
    is_required: bool = False
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()

    def flaw_of(self, value: object) -> str | None:
        """What is wrong with `value`, None if nothing is."""
        if not self.type.accepts(value):
            return f"{self.name}: must be {_ARTICLES[self.type]}"
        if self.choices and value not in self.choices:
            return f"{self.name}: must be one of {', '.join(self.choices)}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._out_of_range(value)
        return None

    def _out_of_range(self, value: float) -> str | None:
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            return f"{self.name}: must be {self.range}"
        return None

    @property
    def range(self) -> str:
        """The bounds in words, empty if there are none."""
        if self.least is not None and self.most is not None:
            return f"between {self.least:.12g} and {self.most:.12g}"
        if self.least is not None:
            return f"at least {self.least:.12g}"
        return f"at most {self.most:.12g}" if self.most is not None else ""


_ARTICLES = {
    Type.INTEGER: "a whole number",
    Type.SECONDS: "a number of seconds",
    Type.TEXT: "a text",
    Type.FLAG: "true or false",
    Type.TABLE: "a table of texts",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What an action takes. Known without any settings, so that a rules file can be checked anywhere.

    `required` and `optional` are the keys of the target, whose values are texts.
    """

    name: str
    help: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()

    @property
    def by_name(self) -> Mapping[str, Parameter]:
        """The parameters by name."""
        return {one.name: one for one in self.parameters}

    def problems(self, order: Order) -> list[str]:
        """Everything in `order` that does not fit: missing, unknown, of another kind, out of range."""
        return [*self._target_problems(order.target), *self._parameter_problems(order.parameters)]

    def _target_problems(self, target: Mapping[str, object]) -> Iterator[str]:
        for name in self.required:
            if not target.get(name):
                yield f"target.{name}: is missing"
        for name, value in target.items():
            if name not in (*self.required, *self.optional):
                yield f"target.{name}: {self.name} has no such target; it has {', '.join(self._keys) or 'none'}"
            elif not isinstance(value, str):
                yield f"target.{name}: must be a text"

    def _parameter_problems(self, given: Mapping[str, Any]) -> Iterator[str]:
        known = self.by_name
        for one in self.parameters:
            if one.is_required and one.name not in given:
                yield f"{one.name}: is missing"
        for name, value in given.items():
            if name not in known:
                yield f"{name}: {self.name} has no such parameter; it has {', '.join(known) or 'none'}"
            elif flaw := known[name].flaw_of(value):
                yield flaw

    @property
    def _keys(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)


@dataclass(frozen=True, slots=True)
class Plan:
    """What running an order would change, as it stands now.

    `text` is a sentence for people. `is_noop`: there is nothing to do. `token` is for the action's own `run`: what it
    saw (as a resourceVersion), so that it changes nothing that somebody else has changed meanwhile.
    """

    text: str
    from_state: Mapping[str, Any] = field(default_factory=dict)
    to_state: Mapping[str, Any] = field(default_factory=dict)
    is_noop: bool = False
    token: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """What running an order has done: a sentence (or a command's output), and the state that it has led to."""

    output: str
    to_state: Mapping[str, Any] = field(default_factory=dict)

"""What an action's own check says of a `run` that stands in a rules file, where no alert has a part in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from receiver.domain.action import Order
from receiver.domain.rules.document import Node, Table
from receiver.domain.rules.entries import Entries
from receiver.domain.rules.known import OrderCheck
from receiver.domain.rules.render import has_values
from receiver.domain.rules.run_spec import Filled, RunSpec

_TARGET = "target."
# In the place of a text that only the alert gives; what is said of it is left out again.
_STAND_IN = "from-alert"


def flaws_of(spec: RunSpec, mistakes_of: OrderCheck) -> Iterator[tuple[str, str]]:
    """What is wrong, each with `target.KEY`, the parameter's name, or what else the check begins it with."""
    filled = {_TARGET + name for name, text in spec.target.items() if has_values(text)}
    filled |= {name for name, value in spec.parameters.items() if _is_filled(value)}
    # Numbers that are not known yet: nothing can be said of how parameters go together.
    is_open = any(isinstance(value, Filled) for value in spec.parameters.values())
    parameters = {} if is_open else {name: _stand_in(value) for name, value in spec.parameters.items()}
    target = {name: _STAND_IN if has_values(text) else text for name, text in spec.target.items()}
    for text in mistakes_of(Order(spec.action, target, parameters)):
        place = text.partition(":")[0]
        if place in filled or place.partition(".")[0] in filled:
            continue
        if is_open and not place.startswith(_TARGET):
            continue
        yield place, text


def place_in(run: Entries, place: str) -> Node:
    """Where in a `run` the thing stands that `flaws_of` speaks of."""
    section, _, name = place.rpartition(".") if place.startswith(_TARGET) else ("parameters", "", place)
    table = run.value(section)
    if not isinstance(table, Table):
        return run.node
    entry = table.entries.get(name) or table.entries.get(name.partition(".")[0])
    return entry[1] if entry else table


def _is_filled(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_filled, value.values()))
    return isinstance(value, Filled) or (isinstance(value, str) and has_values(value))


def _stand_in(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _stand_in(one) for name, one in value.items()}
    return _STAND_IN if _is_filled(value) else value

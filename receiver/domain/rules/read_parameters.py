"""The target and the parameters of an action, as its signature says: YAML's texts become numbers, flags and tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from receiver.domain.action import Parameter, Signature, Type
from receiver.domain.rules.document import Node, Table, Text, kind_of
from receiver.domain.rules.entries import Entries, seconds_of
from receiver.domain.rules.problem import Problem
from receiver.domain.rules.render import flaw_of_text, has_values
from receiver.domain.rules.run_spec import Filled, typed

_AS_IN = {
    Type.INTEGER: "a whole number",
    Type.SECONDS: "a number of seconds, or a stretch of time as in 5m",
    Type.TEXT: "a text",
    Type.FLAG: "true or false",
    Type.TABLE: "a table of texts",
}


def _is_time(parameter: Parameter) -> bool:
    """Whether its value is so many seconds, which may be written as 10m too."""
    return parameter.type is Type.SECONDS or parameter.name.endswith("_seconds")


class ParameterReader:
    """Reads what is given to the action `signature`. `names`: what the texts may name."""

    def __init__(self, problems: list[Problem], signature: Signature, names: Collection[str]) -> None:
        self._problems = problems
        self._signature = signature
        self._names = names

    def target(self, run: Entries) -> Mapping[str, str]:
        """The target of a `run`; it counts only if no problem was noted."""
        keys = (*self._signature.required, *self._signature.optional)
        found = {}
        for name, node in self._table(run, "target", keys, self._signature.required):
            text = self._text(name, node)
            if text is not None:
                found[name] = text
        return found

    def parameters(self, run: Entries) -> Mapping[str, Any]:
        """The parameters of a `run`; they count only if no problem was noted."""
        known = self._signature.by_name
        required = [one.name for one in self._signature.parameters if one.is_required]
        found = {}
        for name, node in self._table(run, "parameters", known, required):
            value = self._value(known[name], node)
            if value is not None:
                found[name] = value
        return found

    def _table(
        self, run: Entries, name: str, known: Collection[str], required: Collection[str]
    ) -> Iterator[tuple[str, Node]]:
        node = run.value(name)
        if node is None:
            if required:
                run.missing(name, f"{self._signature.name} needs {', '.join(required)} there")
            return
        if not known:
            run.note(node, f"{self._signature.name} has no {name}; leave it out")
            return
        entries = Entries(node, self._problems, name, known)
        for key in required:
            if entries.is_table and key not in entries:
                entries.missing(key, f"{self._signature.name} needs it")
        for key in known:
            value = entries.value(key)
            if value is not None:
                yield key, value

    def _value(self, parameter: Parameter, node: Node) -> Any:
        """The value, None where there is none that can be used, which is noted."""
        if parameter.type is Type.TABLE:
            return self._texts(parameter, node)
        if not isinstance(node, Text):
            self._note(node, f"{parameter.name} must be {_AS_IN[parameter.type]}, this is {kind_of(node)}")
            return None
        if parameter.type is Type.TEXT:
            text = self._text(parameter.name, node)
            return text if text is None or has_values(text) else self._checked(parameter, node, text)
        if has_values(node.value):
            return None if self._text(parameter.name, node) is None else Filled(node.value, parameter.type)
        value = typed(node.value, parameter.type)
        if value is None and _is_time(parameter):
            seconds = seconds_of(node.value)
            value = int(seconds) if seconds is not None and parameter.type is Type.INTEGER else seconds
        if value is None:
            self._note(node, f"{parameter.name} must be {_AS_IN[parameter.type]}, this is {kind_of(node)}")
            return None
        return self._checked(parameter, node, value)

    def _checked(self, parameter: Parameter, node: Node, value: Any) -> Any:
        flaw = parameter.flaw_of(value)
        if flaw is not None:
            self._note(node, flaw)
            return None
        return value

    def _texts(self, parameter: Parameter, node: Node) -> Mapping[str, str] | None:
        if not isinstance(node, Table):
            self._note(node, f"{parameter.name} must be {_AS_IN[parameter.type]}, this is {kind_of(node)}")
            return None
        found = {key.value: self._text(key.value, value) for key, value in node.entries.values()}
        return {name: text for name, text in found.items() if text is not None}

    def _text(self, name: str, node: Node) -> str | None:
        if not isinstance(node, Text):
            self._note(node, f"{name} must be a text, this is {kind_of(node)}")
            return None
        flaw = flaw_of_text(node.value, self._names)
        if flaw is not None:
            self._note(node, f"{name}: {flaw}")
            return None
        return node.value

    def _note(self, node: Node, text: str) -> None:
        self._problems.append(node.problem(text))

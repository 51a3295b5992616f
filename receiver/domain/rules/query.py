"""Where the `{{ ... }}` of a PromQL query may stand, so that no value can become a part of the query itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jinja2 import nodes

from receiver.domain.rules.fillers import NUMBERS

_QUOTES = ('"', "'", "`")
_PATTERN_FOLLOWS = re.compile(r"(=~|!~)\s*\Z")


class _Flaw(Exception):
    """What is wrong. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in PromQL a text stops. `inside`: the quote that is open, `#` in a comment, else empty."""

    inside: str = ""
    is_pattern: bool = False  # the open string follows =~ or !~
    after_backslash: bool = False
    tail: str = ""  # the last characters outside of strings, to see =~ before a quote

    def after(self, text: str) -> _Place:
        """The place behind `text`."""
        inside, is_pattern, escaped, tail = self.inside, self.is_pattern, self.after_backslash, self.tail
        for one in text:
            if escaped:
                escaped = False
            elif inside == "#":
                inside = "" if one == "\n" else inside
            elif inside:
                if one == "\\" and inside != "`":
                    escaped = True
                elif one == inside:
                    inside, tail = "", ""
            elif one in (*_QUOTES, "#"):
                inside, is_pattern = one, _PATTERN_FOLLOWS.search(tail) is not None
            else:
                tail = (tail + one)[-20:]
        return _Place(inside, is_pattern and inside in _QUOTES, escaped, tail)


def flaw_of_structure(tree: nodes.Template) -> str | None:
    """What is wrong with the places of the values in a query; None if they are safe, whatever the values are."""
    try:
        end = _walk(tree.body, _Place())
    except _Flaw as flaw:
        return str(flaw)
    if end.inside in _QUOTES:
        return f"a string that began with {end.inside} is not ended"
    return None


def _walk(body: Sequence[nodes.Node], place: _Place) -> _Place:
    for node in body:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    place = _part(part, place)
            case nodes.If():
                branches: list[Sequence[nodes.Node]] = [node.body, node.elif_, node.else_]
                for branch in branches:
                    _same(place, _walk(branch, place))
            case nodes.For():
                for branch in (node.body, node.else_):
                    _same(place, _walk(branch, place))
            case nodes.Assign():
                pass
            case _:
                raise _Flaw("a query may hold {{ ... }}, {% if %}, {% for %} and {% set %}, nothing else")
    return place


def _same(before: _Place, after: _Place) -> None:
    if replace(before, tail="") != replace(after, tail=""):
        raise _Flaw("a string must end in the same branch of {% if %} or {% for %} in which it begins")


def _part(part: nodes.Node, place: _Place) -> _Place:
    if isinstance(part, nodes.TemplateData):
        return place.after(part.data)
    assert isinstance(part, nodes.Expr)
    if place.after_backslash:
        raise _Flaw("a value must not follow a backslash")
    if place.inside == '"':
        if place.is_pattern and not _is_filtered(part, frozenset({"regex"})):
            raise _Flaw(
                "behind =~ and !~ a value is a pattern; write {{ ... | regex }} to have its letters meant"
            )
    elif place.inside:
        raise _Flaw("a value must stand in double quotes")
    elif not _is_filtered(part, NUMBERS):
        raise _Flaw("a value must stand in double quotes, or be a number: {{ ... | number }}")
    return replace(place, tail="")


def _is_filtered(part: nodes.Expr, names: frozenset[str]) -> bool:
    """Whether the expression ends with one of these filters, or is written out in the query."""
    match part:
        case nodes.CondExpr(expr1=first, expr2=second):
            return _is_filtered(first, names) and second is not None and _is_filtered(second, names)
        case nodes.Filter(name=name):
            return name in names
    return isinstance(part, nodes.Const)

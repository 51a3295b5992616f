"""Texts and PromQL queries of rules with `{{ ... }}` in them: checked when the file is read, filled in when used. Pure.

What a sender wrote into a label is put into a text as it is (whoever uses the text checks it), and into a query so that
it cannot end the string in which it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from receiver.domain.rules.fields import FIELDS
from receiver.domain.rules.fillers import FILTERS, query_value
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.problem import unknown
from receiver.domain.rules.query import flaw_of_structure
from receiver.errors import RenderFailed

View = Mapping[str, object]

LONGEST_SOURCE = 4000
LONGEST_RENDERED = 10_000
LABELS = "labels"
INCIDENT_ID = "incident_id"
# What a text may name.
NAMES = frozenset(FIELDS | {LABELS, INCIDENT_ID})
_LEAVES_THE_TEXT: tuple[type[nodes.Node], ...] = (
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
)
_HAS_VALUES = re.compile(r"\{[{%#]")
# What an expression may raise when it does not suit the values it meets.
_UNSUITABLE = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)


class Labels:
    """The labels of a view. No mapping on purpose: in a text `labels.items` is the label `items`, not a method."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        # To senders a label that is empty is one that is missing.
        self._values = {name: value for name, value in values.items() if value}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


class _Missing(StrictUndefined):
    """Says what is missing in the words of the rules."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        if isinstance(self._undefined_obj, Labels):
            return f"there is no label {name}"
        return f"{name} is not known here"


def _environment(*, is_query: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=_Missing,
        autoescape=False,  # neither texts nor queries are HTML
        finalize=query_value if is_query else None,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.clear()  # range, cycler and the like have no use here
    return environment


_TEXT = _environment(is_query=False)
_QUERY = _environment(is_query=True)


def names_for(fields: Collection[str]) -> frozenset[str]:
    """What a text may name where these fields are known."""
    return frozenset({*fields, LABELS, INCIDENT_ID})


def view_of(subject: Subject, incident_id: str | None = None) -> View:
    """What the texts of a rule may name: the subject's fields that have a value, `labels` and `incident_id`."""
    view: dict[str, object] = {name: value for name, value in subject.fields.items() if value}
    view[LABELS] = Labels(subject.labels)
    if incident_id:
        view[INCIDENT_ID] = incident_id
    return view


def flaw_of_text(source: str, names: Collection[str] = NAMES) -> str | None:
    """What is wrong with a text that may name `names`, in plain words; None if nothing is.

    Which labels it needs is not looked at: whether they are there only its use can tell.
    """
    return _flaw(source, _TEXT, names)


def flaw_of_query(source: str, names: Collection[str] = NAMES) -> str | None:
    """What is wrong with the `{{ ... }}` of a PromQL query; None if nothing is. PromQL itself is not checked.

    A value must stand in double quotes, through the filter `regex` where they follow =~ or !~; or be a number.
    """
    return _flaw(source, _QUERY, names) or flaw_of_structure(_QUERY.parse(source))


def has_values(source: str) -> bool:
    """Whether there is anything to fill in."""
    return _HAS_VALUES.search(source) is not None


def render_text(source: str, view: View) -> str:
    """The text with its values. Raises RenderFailed where one is missing or does not suit."""
    return _rendered(source, view, is_query=False) if has_values(source) else source


def render_query(source: str, view: View) -> str:
    """The PromQL query with its values, escaped for the double-quoted strings they stand in. Raises RenderFailed.

    Nothing of a query that `flaw_of_query` objects to is rendered.
    """
    return _rendered(source, view, is_query=True) if has_values(source) else source


def _flaw(source: str, environment: ImmutableSandboxedEnvironment, names: Collection[str]) -> str | None:
    if len(source) > LONGEST_SOURCE:
        return f"the text has {len(source)} characters, {LONGEST_SOURCE} are allowed"
    try:
        tree = environment.parse(source)
        environment.compile(source)  # finds unknown filters
    except TemplateSyntaxError as error:
        return f"the text cannot be read: {error.message}"
    except (RecursionError, MemoryError):
        return "the text is nested too deeply"
    if next(tree.find_all(_LEAVES_THE_TEXT), None):
        return "a text cannot include or import another"
    # A template's own variables are no mistake; Jinja tells them apart.
    strangers = sorted(meta.find_undeclared_variables(environment.parse(source)).difference(names))
    if strangers:
        return f"{unknown('name', strangers[0], names)} (a label is written {LABELS}.{strangers[0]})"
    return None


@lru_cache(4096)
def _compiled(source: str, is_query: bool) -> Template | str:
    flaw = flaw_of_query(source) if is_query else flaw_of_text(source)
    return flaw or (_QUERY if is_query else _TEXT).from_string(source)


def _rendered(source: str, view: View, *, is_query: bool) -> str:
    template = _compiled(source, is_query)
    if isinstance(template, str):
        raise RenderFailed(template)
    try:
        text = template.render(view)
    except _UNSUITABLE as error:
        raise RenderFailed(str(error) or type(error).__name__) from None
    if len(text) > LONGEST_RENDERED:
        raise RenderFailed(f"the text came to {len(text)} characters, {LONGEST_RENDERED} are allowed")
    return text

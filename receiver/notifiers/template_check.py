"""Finds what is wrong with a user's templates before the first message needs them: names, syntax, and a try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jinja2 import TemplateSyntaxError, meta, nodes

from receiver.domain.rules.problem import unknown
from receiver.errors import RenderFailed
from receiver.notifiers.samples import SAMPLES
from receiver.notifiers.template_engine import Engine, explain
from receiver.notifiers.template_files import Source, is_included, part_of
from receiver.notifiers.view import NAMES, view_of


def mistakes_of(engine: Engine, sources: Mapping[str, Source]) -> list[str]:
    """`FILE:LINE: what` for each mistake in the user's templates, each file tried on every occasion."""
    return [mistake for file, source in sources.items() for mistake in _mistakes(engine, file, source)]


def _mistakes(engine: Engine, file: str, source: Source) -> Iterator[str]:
    if is_included(file):
        return  # tried together with those that include it
    try:
        tree = engine.environment(file).parse(source.text, file, source.place)
        engine.environment(file).compile(tree, file, source.place)  # finds unknown filters
        strangers = meta.find_undeclared_variables(tree) - NAMES
    except TemplateSyntaxError as error:
        yield explain(error, source.place)
        return
    except RecursionError:
        yield f"{source.place}: nested too deeply"
        return
    for name in sorted(strangers):
        yield f"{source.place}:{_line_of(tree, name)}: {unknown('name', name, NAMES)}"
    if not strangers:
        yield from _trial(engine, file, source)


def _trial(engine: Engine, file: str, source: Source) -> Iterator[str]:
    """Render it on every occasion: the same mistake is told once."""
    part, told = part_of(file), set[str]()
    for sample in SAMPLES:
        try:
            text = engine.render(file, view_of(sample))
        except RenderFailed as failure:
            told.add(str(failure))
            continue
        if part and not part.may_be_empty and not text.strip():
            told.add(f"{source.place}: it gives no text for {sample.template.value}")
    yield from sorted(told)


def _line_of(tree: nodes.Template, name: str) -> int:
    return min((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), default=1)

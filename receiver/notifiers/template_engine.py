"""Jinja2 as templates get it: sandboxed, strict about names, and escaping for what the text is meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from receiver.errors import RenderFailed
from receiver.notifiers.plain_text import paragraph
from receiver.notifiers.slack_text import code, escape, link
from receiver.notifiers.template_files import SHIPPED, Source, shipped

LONGEST_RENDERED = 100_000
_LONGEST_REASON = 200
# What only frames of templates have: as compiled, and as Jinja rewrites tracebacks.
_OF_TEMPLATES = frozenset({"__jinja_template__", "__jinja_exception__"})
# What an expression may raise when it does not suit the values that it meets.
UNSUITABLE = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)


class Mrkdwn(str):
    """Text that is in Slack's own notation already."""

    __slots__ = ()


class Engine:
    """The templates of one folder, with the shipped ones behind them. `render` may be called from any thread."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        loader = _Loader(sources)
        self._environments = {format_: _environment(format_, loader) for format_ in ("txt", "html", "mrkdwn")}

    def environment(self, file: str) -> Environment:
        """The environment for the format that a file's ending names."""
        return self._environments[file.rpartition(".")[2]]

    def render(self, file: str, view: Mapping[str, object]) -> str:
        """The text of a template. Raises RenderFailed with `PLACE:LINE: reason`."""
        environment = self.environment(file)
        try:
            return _whole(environment.get_template(file), view)
        except UNSUITABLE as error:
            raise RenderFailed(explain(error, _place(environment, file))) from None


def explain(error: BaseException, place: str) -> str:
    """`PLACE:LINE: reason` for what Jinja raised; the innermost template that it passed through, `place` if none."""
    reason = " ".join((str(error) or type(error).__name__).split())[:_LONGEST_REASON]
    if isinstance(error, TemplateNotFound):
        reason = f"there is no template {error.message or error.name} to include"
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or place}:{error.lineno}: {error.message}"
    found, line = place, 0
    trace = error.__traceback__
    while trace is not None:
        if not _OF_TEMPLATES.isdisjoint(trace.tb_frame.f_globals):
            found, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return f"{found}:{line}: {reason}" if line else f"{found}: {reason}"


class _Loader(BaseLoader):
    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The user's template of this name, else the shipped one; `shipped/NAME` is always that."""
        source = self._sources.get(template) or shipped().get(template.removeprefix(SHIPPED))
        if source is None:
            raise TemplateNotFound(template)
        return source.text, source.place, lambda: True


def _environment(format_: str, loader: BaseLoader) -> Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=format_ == "html",
        finalize=_mrkdwn if format_ == "mrkdwn" else None,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=400,
        auto_reload=False,
    )
    environment.globals.clear()  # range, lipsum and the like have no use here, and range can be without end
    environment.filters["cut"] = _cut
    if format_ == "mrkdwn":
        environment.filters |= {"code": lambda text: Mrkdwn(code(str(text), 200)), "link": _link}
    return environment


def _cut(text: object, limit: int) -> str:
    """`{{ summary | cut(300) }}`: at most so many characters, `…` where something is gone."""
    return paragraph(str(text), limit)


def _link(url: object, label: object) -> Mrkdwn:
    """`{{ url | link("Open") }}`: a link; the label alone where the address is not fit for one."""
    safe = escape(str(label))
    return Mrkdwn(link(str(url), safe.replace("|", "¦")) or safe)


def _mrkdwn(value: object) -> object:
    """What `{{ ... }}` puts out: it can neither ping nor link nor open a code span."""
    if isinstance(value, Mrkdwn):
        return value
    return escape(str(value)).replace("`", "'")


def _whole(template: Template, view: Mapping[str, object]) -> str:
    """The text, unless there is no end to it. Raises ValueError."""
    pieces, room = [], LONGEST_RENDERED
    for piece in template.generate(**view):
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise ValueError(f"the text came to more than {LONGEST_RENDERED} characters")
    return "".join(pieces)


def _place(environment: Environment, file: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, file)[1] or file


def paragraph_html(text: str) -> str:
    """A plain text as a mail's HTML part."""
    return str(
        Markup(
            '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif">'
            '<p style="white-space:pre-line">{}</p></body></html>\n'
        ).format(text)
    )

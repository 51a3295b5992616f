"""GET /docs: the OpenAPI document as a page for people, and /problems/...: what each error means.

Rendered here, without scripts and without anything from elsewhere, so that it works where there is no internet.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from flask import Flask, Response, abort
from flask_smorest import Api
from jinja2 import Template
from markupsafe import Markup, escape

import receiver
from receiver import errors
from receiver.errors import RequestRefused
from receiver.web.errors import TYPE_PREFIX

_METHODS = ("get", "post", "put", "patch", "delete")
_REF = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter or one field of a body."""

    name: str
    kind: str
    about: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answer: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The operations of one tag."""

    name: str
    about: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ProblemEntry:
    """One kind of error."""

    slug: str
    status: int
    title: str
    about: str


_KINDS: tuple[type[RequestRefused], ...] = (
    errors.BrokenBody,
    errors.NotAuthenticated,
    errors.NotAllowed,
    errors.UnknownIncident,
    errors.UnknownAction,
    errors.UnknownReport,
    errors.ActionConflict,
    errors.IllegalTransition,
    errors.BodyTooLarge,
    errors.SlowBody,
    errors.TooManyBodies,
    errors.UnsupportedEncoding,
    errors.InvalidField,
    errors.StorageUnavailable,
)
_OF_THE_FRAMEWORK = (
    ProblemEntry("not-found", 404, "Not Found", "There is nothing at this address."),
    ProblemEntry(
        "method-not-allowed", 405, "Method Not Allowed", "The address takes other methods, named in Allow."
    ),
    ProblemEntry("broken-request", 400, "Broken request", "What came is not HTTP."),
    ProblemEntry("line-too-long", 414, "Line too long", "The request's first line is too long."),
    ProblemEntry("expectation-failed", 417, "Expectation failed", "Only 100-continue can be expected."),
    ProblemEntry("head-too-large", 431, "Head too large", "Too many headers, or one that is too long."),
    ProblemEntry("unsupported-transfer-coding", 501, "Unsupported transfer coding", "Only chunked is known."),
    ProblemEntry(
        "internal-error", 500, "Internal error", "A fault of the receiver; its log has it under trace_id."
    ),
)


def register(app: Flask, api: Api) -> None:
    """Add the pages to `app`."""
    folder = files("receiver.web")
    app.jinja_env.filters["ticks"] = _ticks
    page: Template = app.jinja_env.from_string(folder.joinpath("docs.html").read_text(encoding="utf-8"))
    style = folder.joinpath("docs.css").read_text(encoding="utf-8")
    policy = _policy(style)
    problems = {entry.slug: entry for entry in problem_entries()}

    def answer(**shown: Any) -> Response:
        text = page.render(style=style, version=receiver.__version__, prefix=TYPE_PREFIX, **shown)
        return Response(text, mimetype="text/html", headers={"Content-Security-Policy": policy})

    def docs() -> Response:
        return answer(chapters=chapters(api.spec.to_dict()), problems=problems.values())

    def one_problem(slug: str) -> Response:
        if slug not in problems:
            abort(404)
        return answer(chapters=(), problems=[problems[slug]])

    app.add_url_rule("/docs", "docs", docs, strict_slashes=False)
    app.add_url_rule(f"{TYPE_PREFIX}<slug>", "problem", one_problem)


def chapters(spec: Mapping[str, Any]) -> tuple[Chapter, ...]:
    """What the page shows of an OpenAPI 3 document, by tag, in the document's order."""
    schemas = spec.get("components", {}).get("schemas", {})
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in spec.get("tags", ())}
    for path, item in spec["paths"].items():
        for method in _METHODS:
            if method in item:
                shared = item.get("parameters", [])
                found[item[method]["tags"][0]].append(_operation(method, path, item[method], shared, schemas))
    about = {tag["name"]: tag.get("description", "") for tag in spec.get("tags", ())}
    return tuple(Chapter(name, about[name], tuple(operations)) for name, operations in found.items())


def problem_entries() -> tuple[ProblemEntry, ...]:
    """Every kind of error that is answered, by status."""
    own = [
        ProblemEntry(kind.slug, kind.status, kind.title, (kind.__doc__ or "").partition("\n")[0])
        for kind in _KINDS
    ]
    return tuple(sorted([*own, *_OF_THE_FRAMEWORK], key=lambda entry: (entry.status, entry.slug)))


def _operation(method: str, path: str, item: Mapping[str, Any], shared: list[Any], schemas: Any) -> Operation:
    parameters = [*shared, *item.get("parameters", [])]
    return Operation(
        method=method.upper(),
        path=path,
        summary=item.get("summary", ""),
        description=item.get("description", ""),
        parameters=tuple(
            Field(
                one["name"],
                _kind(one["schema"], schemas),
                one.get("description", ""),
                one.get("required", False),
            )
            for one in parameters
        ),
        body=_fields(item.get("requestBody", {}), schemas),
        answer=_fields(item.get("responses", {}).get("200", {}), schemas),
    )


def _fields(holder: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[Field, ...]:
    schema = _resolved(holder.get("content", {}).get("application/json", {}).get("schema", {}), schemas)
    required = schema.get("required", ())
    return tuple(
        Field(name, _kind(one, schemas), _resolved(one, schemas).get("description", ""), name in required)
        for name, one in schema.get("properties", {}).items()
    )


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas[schema["$ref"].removeprefix(_REF)] if "$ref" in schema else schema
    return found


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_REF))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), schemas)}"
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"] if value is not None)
    return str(schema.get("format") or schema.get("type") or "any")


def _ticks(text: str) -> Markup:
    """Text in backquotes as code, all of it escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts)
    )


def _policy(style: str) -> str:
    """A Content-Security-Policy that allows this one style and nothing else."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )

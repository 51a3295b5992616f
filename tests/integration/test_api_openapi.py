"""The OpenAPI document and the page made of it say what is there."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.builders import bodies
from tests.builders.web import client_of
from tests.fixtures.runtimes import RuntimeFactory

UNDESCRIBED = {"/openapi.json", "/docs", "/problems/{slug}"}


@pytest.fixture
def client(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> FlaskClient:
    return client_of(make_runtime(sqlite_engine))


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


def test_every_route_is_described(client: FlaskClient, spec: dict[str, Any]) -> None:
    rules = client.application.url_map.iter_rules()
    there = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {
        (path, method) for path, item in spec["paths"].items() for method in item if method != "parameters"
    }
    assert {(path, method) for path, method in there if path not in UNDESCRIBED} == described


def test_every_reference_in_the_document_leads_somewhere(spec: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for value in node for ref in references(value)] if isinstance(node, list) else []

    assert spec["openapi"].startswith("3.")
    found = references(spec)
    assert found
    for reference in found:
        node: Any = spec
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_what_the_document_says_of_an_incident_is_what_comes(
    client: FlaskClient, spec: dict[str, Any]
) -> None:
    client.post("/webhook/alert", data=bodies.alertmanager([bodies.alert()]))
    schemas = spec["components"]["schemas"]
    incident = client.get("/api/v1/incidents/1").get_json()
    assert set(schemas["Incident"]["properties"]) == set(incident)
    (alert,) = client.get("/api/v1/incidents/1/alerts?raw=1").json["alerts"]
    assert set(schemas["Alert"]["properties"]) == set(alert)
    event = client.get("/api/v1/incidents/1/timeline").json["events"][0]
    assert set(schemas["Event"]["properties"]) == set(event)
    problem = client.get("/api/v1/incidents?limit=x").get_json()
    assert set(problem) <= set(schemas["Problem"]["properties"])


def test_errors_are_described_as_problems(spec: dict[str, Any]) -> None:
    for path in spec["paths"]:
        for operation in (value for name, value in spec["paths"][path].items() if name != "parameters"):
            if "incidents" in path or "webhook" in path:
                assert operation["responses"]["default"] == {"$ref": "#/components/responses/DEFAULT_ERROR"}
    assert list(spec["components"]["responses"]["DEFAULT_ERROR"]["content"]) == ["application/problem+json"]


class Page(HTMLParser):
    """Notes whatever a browser would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.loads.append(tag)
        self.loads += [
            name for name, value in attrs if name in ("src", "style", "action") or name.startswith("on")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_names_every_route_and_needs_nothing_from_elsewhere(
    client: FlaskClient, spec: dict[str, Any]
) -> None:
    answer = client.get("/docs")
    page = Page()
    page.feed(answer.text)
    assert page.loads == []
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    for path in spec["paths"]:
        assert path in page.text


def test_the_pages_own_style_is_the_one_that_its_policy_allows(client: FlaskClient) -> None:
    answer = client.get("/docs")
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert "script" not in answer.headers["Content-Security-Policy"]


def test_code_in_descriptions_is_set_as_code_and_all_else_escaped(client: FlaskClient) -> None:
    ticks = client.application.jinja_env.filters["ticks"]
    assert str(ticks("a `<b>` <i>")) == "a <code>&lt;b&gt;</code> &lt;i&gt;"

"""Every address by what protects it: no route is open by oversight, and none redirects."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from receiver.app import create_app
from receiver.web.errors import MEDIA_TYPE
from receiver.web.webhooks import PATHS
from tests.builders.web import client_of, settings
from tests.fixtures.runtimes import RuntimeFactory

TOKENS = {"viewer": "tok-viewer", "responder": "tok-responder", "admin": "tok-admin"}
HOOK_TOKEN = "tok-hook"
OPEN = {"/livez", "/readyz", "/health", "/metrics", "/openapi.json", "/docs", "/problems/<slug>"}
API = "/api/v1/incidents"
APIS = (API, "/api/v1/actions", "/api/v1/reports")


@pytest.fixture
def client(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> FlaskClient:
    tokens = ",".join(f"{role[0]}:{role}:{token}" for role, token in TOKENS.items())
    return client_of(make_runtime(sqlite_engine, API_TOKENS=tokens, WEBHOOK_TOKEN=HOOK_TOKEN))


def routes(client: FlaskClient) -> list[tuple[str, str]]:
    """Every (method, rule) but the automatic ones."""
    rules = client.application.url_map.iter_rules()
    return [
        (method, rule.rule)
        for rule in rules
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def status(client: FlaskClient, method: str, rule: str, token: str | None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = (
        rule.replace("<reference>", "INC-1").replace("<action_id>", "ACT-1").replace("<slug>", "unauthorized")
    )
    answer = client.open(path, method=method, headers=headers)
    assert answer.status_code < 300 or answer.content_type == MEDIA_TYPE
    return answer.status_code


def test_each_route_asks_for_the_role_that_it_should(client: FlaskClient) -> None:
    for method, rule in routes(client):
        refused = {
            who: status(client, method, rule, token)
            for who, token in {"nobody": None, "stranger": "tok", "hook": HOOK_TOKEN, **TOKENS}.items()
        }
        refused = {who: code for who, code in refused.items() if code in (401, 403)}
        if rule in OPEN:
            expected = {}
        elif rule in PATHS:
            expected = dict.fromkeys(("nobody", "stranger", *TOKENS), 401)
        else:
            assert rule.startswith(APIS), f"{rule} is new: say here what protects it"
            expected = dict.fromkeys(("nobody", "stranger", "hook"), 401)
            if method != "GET":
                expected["viewer"] = 403
        assert refused == expected, f"{method} {rule}"


def test_head_and_options_give_nothing_away_either(client: FlaskClient) -> None:
    assert client.head(API).status_code == 401
    assert client.options(f"{API}/INC-1").status_code == 401


def test_a_401_says_how_to_authenticate(client: FlaskClient) -> None:
    answer = client.get(API)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.json["type"] == "/problems/unauthorized"
    assert client.post(PATHS[0]).headers["WWW-Authenticate"] == 'Bearer realm="alerts"'


def test_no_address_redirects_with_or_without_a_slash_at_the_end(client: FlaskClient) -> None:
    for method, rule in routes(client):
        path = rule.replace("<reference>", "INC-1").replace("<slug>", "unauthorized")
        for variant in (path, path + "/", "/" + path):
            assert client.open(variant, method=method).status_code not in range(300, 400), (
                f"{method} {variant}"
            )


def test_the_open_api_of_this_machine_is_closed_to_foreign_pages(
    sqlite_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    client = client_of(make_runtime(sqlite_engine))
    assert client.get(API).status_code == 200
    assert client.get(API, headers={"Host": "evil.example"}).status_code == 403
    assert client.post(f"{API}/1/ack", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post(f"{API}/1/ack", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(f"{API}/1/ack", headers={"Origin": "http://localhost"}).status_code == 404


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for path in ("/livez", "/docs", "/openapi.json", "/nowhere", API, PATHS[0], "/metrics"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_an_application_is_built_without_touching_the_database(tmp_path: Path) -> None:
    app = create_app(settings(DATABASE_URL=f"sqlite:///{tmp_path}/none/receiver.db"))
    assert app.test_client().get("/livez").status_code == 200
    assert not list(tmp_path.iterdir())

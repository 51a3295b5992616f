"""What the OpenAPI document promises, the API keeps, whatever is asked of it: schemathesis makes up the requests.

For each operation requests that fit the document and requests that do not. Looked at: no 5xx, documented statuses and
media types only, answers that fit their schema, 401 without a good token, 405 with Allow for other methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import AcceptedNegativeData, Failure, FailureGroup
from schemathesis.openapi.checks import RejectedPositiveData
from sqlalchemy import Engine

from receiver.web.webhooks import PATHS
from tests.builders import bodies
from tests.builders.web import app_of
from tests.fixtures.runtimes import RuntimeFactory

_EXAMPLES = 8
_API, _SENDER = "planted-api-token-1", "planted-sender-token-1"
_OPEN = ("/health", "/livez", "/readyz", "/metrics")
_repeatable = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.fixture
def schema(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> Any:
    app = app_of(make_runtime(sqlite_engine, API_TOKENS=f"ann:admin:{_API}", WEBHOOK_TOKEN=_SENDER))
    alert = bodies.alertmanager([bodies.alert(service="cart")])
    sent = app.test_client().post(PATHS[0], data=alert, headers={"Authorization": f"Bearer {_SENDER}"})
    assert sent.status_code == 200
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def _operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


def _is_meant(operation: Any, case: Any, failure: Failure) -> bool:
    """What a document cannot say, or that is so on purpose."""
    if isinstance(failure, AcceptedNegativeData):
        # A webhook takes whatever comes and keeps it. A list that is empty does not restrict.
        return operation.path in PATHS or any(set(value) <= {""} for value in (case.query or {}).values())
    if isinstance(failure, RejectedPositiveData):
        # A cursor that is none, an action that does not exist: refused by the name of the field.
        named = set(case.query or {}) | set(case.body if isinstance(case.body, dict) else {})
        answer = case.call(headers=_credential(operation)).json()
        return answer["status"] == 422 and set(answer["errors"]) <= named | {"body"}
    return False


def _credential(operation: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {_SENDER if operation.path in PATHS else _API}"}


def _broken(operation: Any, mode: str) -> list[str]:
    """What did not hold when requests for one operation were made up."""
    found: list[str] = []
    asked = 0

    @_repeatable
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        if "reference" in (case.path_parameters or {}) and asked % 2:
            case.path_parameters["reference"] = "INC-1"  # one that is there
        try:
            case.call_and_validate(headers=_credential(operation))
        except FailureGroup as group:
            found.extend(
                f"{operation.label}: {failure}\n{case.as_curl_command()}"
                for failure in group.exceptions
                if not _is_meant(operation, case, failure)
            )

    ask()
    assert asked
    return found


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_api_keeps_what_its_document_promises(schema: Any, mode: str):
    # What operators ask takes nothing that could be wrong.
    operations = [one for one in _operations(schema) if mode == "positive" or one.path not in _OPEN]
    assert len(operations) >= 15
    assert [text for operation in operations for text in _broken(operation, mode)] == []


def test_every_operation_but_those_for_operators_asks_for_a_credential(schema: Any):
    app = schema.app
    for operation in _operations(schema):
        answer = app.test_client().open(
            operation.path.replace("{", "").replace("}", ""), method=operation.method
        )
        if operation.path in _OPEN:
            assert answer.status_code == 200, operation.label
        else:
            assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), operation.label
            assert answer.json["type"] == "/problems/unauthorized"
            assert "WWW-Authenticate" in answer.headers

"""What people ask the API for: an answer, or what is wrong with the question."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import suppress
from functools import cache
from urllib.parse import quote_from_bytes

from flask.testing import FlaskClient

from fuzz.pieces import pieces
from receiver.app import close_app, create_app
from receiver.config import load
from receiver.errors import InvalidField
from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from receiver.web.api import cursor as cursors

_LIST = "/api/v1/incidents"
_ALERT = b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A","service":"cart"},"fingerprint":"f"}]}'
_BELOW = ("", "/alerts", "/timeline", "/actions", "/explain")


def cursor(data: bytes) -> None:
    """A cursor is read, or refused as a field of the request."""
    text = data.decode("utf-8", "replace")
    for kind in ("incidents", "alerts"):
        with suppress(InvalidField):
            found = cursors.read_row(kind, text)
            assert found is not None
            again = cursors.after_row(kind, found.moment, found.row_id)
            assert cursors.read_row(kind, again) == found
    with suppress(InvalidField):
        assert cursors.read_event(text) >= 0


def filters(data: bytes) -> None:
    """A query string as it stands on the wire, and a reference to an incident, over a real database."""
    query, reference = pieces(data, 2)
    client = _client()
    answer = client.get(_LIST, environ_overrides={"QUERY_STRING": query.decode("latin-1")})
    assert answer.status_code in (200, 422), answer.text
    path = f"{_LIST}/{quote_from_bytes(reference[:300], safe='')}{_BELOW[sum(reference) % len(_BELOW)]}"
    assert client.get(path).status_code in (200, 404, 405, 422)


@cache
def _client() -> FlaskClient:
    folder = tempfile.TemporaryDirectory(prefix="receiver-fuzz-")
    url = f"sqlite:///{folder.name}/fuzz.db"
    engine = create_engine(url)
    upgrade(engine)
    engine.dispose()
    settings = {"RECEIVER_DATABASE_URL": url, "RECEIVER_SPOOL_DIR": folder.name}
    app = create_app(load(settings))
    atexit.register(folder.cleanup)
    atexit.register(close_app, app)
    client = app.test_client()
    assert client.post("/webhook/alert", data=_ALERT).status_code == 200
    return client

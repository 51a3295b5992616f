"""What comes before anybody knows who sends it: gunicorn's parser and our reading of bodies, together."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser

from fuzz.pieces import pieces
from receiver.cli.unread_request import unread
from receiver.errors import RequestRefused
from receiver.ids import trace_id_of
from receiver.web.body import discard_body, read_body
from receiver.web.body_room import BodyRoom

_LIMIT = 1000
_PIECE = 7
_CONFIG = Config()


def chunks(data: bytes) -> None:
    """A body in chunks: read whole, or refused; and what it takes up of the room is given back."""
    raw = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data
    environ = _environ(_first(raw))
    room = BodyRoom(_LIMIT // 2)
    with suppress(RequestRefused), room.booking() as booking:
        body = read_body(environ, _LIMIT, booking)
        assert len(body) <= _LIMIT
        assert booking.taken == len(body)
    assert room.held == 0
    discard_body(environ)


def head(data: bytes) -> None:
    """A head is read, or there is an answer to it; and a trace id comes of whatever it says."""
    line, traceparent = pieces(data, 2)
    try:
        request = _first(line + b"\r\n\r\n{}")
    except ParseException as error:
        found = unread(error)
        assert found is not None
        assert found.answer().startswith(b"HTTP/1.1 ")
    except (NoMoreData, StopIteration):
        pass
    else:
        with suppress(RequestRefused):
            read_body(_environ(request), _LIMIT)
    trace_id = trace_id_of(traceparent.decode("latin-1"))
    assert len(trace_id) == 32
    int(trace_id, 16)


def _first(raw: bytes) -> Any:
    parts = iter([raw[at : at + _PIECE] for at in range(0, len(raw), _PIECE)])
    return next(RequestParser(_CONFIG, parts, ("127.0.0.1", 1)))


def _environ(request: Any) -> dict[str, Any]:
    headers = {f"HTTP_{name.replace('-', '_')}": value for name, value in request.headers}
    return {
        **headers,
        "CONTENT_LENGTH": headers.get("HTTP_CONTENT_LENGTH", ""),
        "wsgi.input": request.body,
        "wsgi.input_terminated": True,
    }

"""Reads a request's body whole or not at all.

Werkzeug cuts a chunked body at its limit without a word, and takes a body that ends early for a short one. Here a body
that is too large gives 413, and one whose transport broke gives 400: what is stored is what was sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from gunicorn.http.errors import ParseException

from receiver.errors import BodyTooLarge, BrokenBody, SlowBody, UnsupportedEncoding
from receiver.web.body_room import Booking

WEBHOOK_LIMIT_BYTES = 8 * 1024 * 1024
API_LIMIT_BYTES = 64 * 1024
# A sender that falls silent in mid-body is not waited for longer. The deadline for the whole request stands in
# cli/paced_socket.py.
SILENCE_SECONDS = 10.0
# Read in pieces, so that what is held is what has come, not what was announced.
_PIECE_BYTES = 256 * 1024

# So much of a refused body is read and forgotten, for so long: more than any sender sends in earnest.
DISCARD_BYTES = 2 * WEBHOOK_LIMIT_BYTES
DISCARD_SECONDS = 5.0
_DISCARD_PIECE_BYTES = 64 * 1024


class _Stream(Protocol):
    def read(self, size: int) -> bytes: ...


def read_body(environ: Mapping[str, Any], limit: int, booking: Booking | None = None) -> bytes:
    """The body of the request with this WSGI environment, at most `limit` bytes, which are booked in `booking`.

    Raises BodyTooLarge (without reading, where the length is announced), UnsupportedEncoding for a compressed body,
    BrokenBody for broken chunks or an early end, SlowBody for a sender that is too slow, TooManyBodies when
    `booking` has no room.
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedEncoding("send the body as it is, without Content-Encoding")
    announced = _announced(environ)
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b""  # without a length, and without a server that knows where the body ends, there is none
    if announced is not None and announced > limit:
        raise BodyTooLarge(f"the body has {announced} bytes, the limit is {limit}")
    body = _read(environ, limit + 1 if announced is None else announced, booking)
    if announced is not None and len(body) < announced:
        raise BrokenBody(f"the body ended after {len(body)} of {announced} bytes")
    if len(body) > limit:
        raise BodyTooLarge(f"the body has more than {limit} bytes, which is the limit")
    return body


def discard_body(environ: Mapping[str, Any]) -> None:
    """Read what is left of a refused request's body and forget it, within bounds.

    A server that answers and closes while the sender still writes resets the connection, and the sender sees that (a
    proxy makes a 502 of it) instead of the answer that says what is wrong.
    """
    if not environ.get("wsgi.input_terminated"):
        return  # without a server that knows where the body ends, reading on could wait for ever
    deadline = time.monotonic() + DISCARD_SECONDS
    left = DISCARD_BYTES
    try:
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            with _impatient(environ, seconds):
                piece = environ["wsgi.input"].read(_DISCARD_PIECE_BYTES)
            if not piece:
                return
            left -= len(piece)
    except (OSError, ParseException):
        return  # it is refused anyway


def _announced(environ: Mapping[str, Any]) -> int | None:
    """The announced length; None where there is none, or where chunks say how long the body is."""
    text = environ.get("CONTENT_LENGTH") or ""
    if not text or environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    if not text.isascii() or not text.isdigit():
        raise BrokenBody("Content-Length is no number")
    return int(text)


def _read(environ: Mapping[str, Any], size: int, booking: Booking | None) -> bytes:
    """Up to `size` bytes; one more than the limit tells that the body goes on."""
    try:
        with _impatient(environ, SILENCE_SECONDS):
            return _exactly(environ["wsgi.input"], size, booking)
    except TimeoutError:
        raise SlowBody("the request did not come to its end in time") from None
    except (OSError, ParseException) as error:
        # gunicorn parses chunks while we read, and its error texts may hold what was sent.
        raise BrokenBody(f"the body could not be read to its end ({type(error).__name__})") from None


@contextmanager
def _impatient(environ: Mapping[str, Any], seconds: float) -> Iterator[None]:
    """Under gunicorn, end a read with TimeoutError when nothing comes for so long; it waits for ever by itself."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    connection.settimeout(seconds)
    try:
        yield
    finally:
        connection.settimeout(None)


def _exactly(stream: _Stream, size: int, booking: Booking | None) -> bytes:
    pieces, missing = [], size
    while missing and (piece := stream.read(min(missing, _PIECE_BYTES))):
        if booking is not None:
            booking.add(len(piece))
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)

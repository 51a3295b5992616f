"""Answers to requests that never reach the application: unreadable ones, and slow ones.

gunicorn's own answers are pages that repeat what was sent; these are problems as everywhere else, and repeat nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from gunicorn.http import errors as gunicorn

from receiver.web.errors import MEDIA_TYPE, TYPE_PREFIX


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a request was not read."""

    status: HTTPStatus
    slug: str
    title: str
    detail: str

    def answer(self) -> bytes:
        """The whole answer, which is the last on its connection."""
        body = msgspec.json.encode(
            {
                "type": TYPE_PREFIX + self.slug,
                "title": self.title,
                "status": self.status.value,
                "detail": self.detail,
            }
        )
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        )
        return f"{head}\r\n".encode() + body


TOO_LATE = Unread(
    HTTPStatus.REQUEST_TIMEOUT,
    "request-timeout",
    "Request timeout",
    "the request did not come to its end in time",
)
BROKEN = Unread(
    HTTPStatus.BAD_REQUEST, "broken-request", "Broken request", "the request is not HTTP as RFC 9112 has it"
)
_OF_GUNICORN: dict[type[Exception], Unread] = {
    gunicorn.LimitRequestLine: Unread(
        HTTPStatus.REQUEST_URI_TOO_LONG, "line-too-long", "Line too long", "the first line is too long"
    ),
    gunicorn.LimitRequestHeaders: Unread(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head-too-large",
        "Head too large",
        "there are too many headers, or one is too long",
    ),
    gunicorn.ExpectationFailed: Unread(
        HTTPStatus.EXPECTATION_FAILED,
        "expectation-failed",
        "Expectation failed",
        "only 100-continue can be expected",
    ),
    gunicorn.UnsupportedTransferCoding: Unread(
        HTTPStatus.NOT_IMPLEMENTED,
        "unsupported-transfer-coding",
        "Unsupported transfer coding",
        "the only Transfer-Encoding is chunked",
    ),
}
# These are the application's mistakes, although gunicorn has them among those of the request.
_OURS = (gunicorn.InvalidResponseHeader, gunicorn.InvalidResponseHeaderName)
ALL = (TOO_LATE, BROKEN, *_OF_GUNICORN.values())


def unread(error: BaseException) -> Unread | None:
    """What to answer to a request in whose head gunicorn met `error`; None where the request is not to blame."""
    if not isinstance(error, gunicorn.ParseException) or isinstance(error, _OURS):
        return None
    return _OF_GUNICORN.get(type(error), BROKEN)

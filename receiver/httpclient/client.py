"""HttpClient: sends one request and gives back the answer, or a DeliveryFailed that says what trying again is worth."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url
from urllib3.exceptions import HTTPError

from receiver import __version__
from receiver.clock import Clock, utc_now
from receiver.domain.loopback import is_loopback
from receiver.errors import DeliveryFailed
from receiver.httpclient.address_guard import AddressGuard, AddressRefused
from receiver.httpclient.connection import Deadline, Session
from receiver.httpclient.response import (
    LONGEST_BODY_BYTES,
    Judge,
    Response,
    failure_of,
    private_parts,
    read_text,
    retry_after,
)
from receiver.httpclient.stock import Place, Stock
from receiver.httpclient.transport import transport_failure

USER_AGENT = f"alert-receiver/{__version__}"

# An empty proxy wins over the environment's.
_NO_PROXY = {"http": "", "https": ""}


def encode(payload: Any) -> bytes:
    """`payload` as JSON in UTF-8. A lone surrogate has no UTF-8 form: rather a `?` than a message never sent."""
    return json.dumps(payload, ensure_ascii=False, allow_nan=False).encode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Request:
    """One request as the session takes it (`options`), and how its answer is read."""

    method: str
    url: str
    options: Mapping[str, Any]
    private: tuple[str, ...]
    largest_body_bytes: int


class HttpClient:
    """Sends requests. One object serves all threads.

    Each request has a connection of its own, unless the client is a `keeping` one: a connection that the other side
    closes while it is used looks like one that was cut after sending, when nobody can tell whether the request arrived.

    `connect_timeout_seconds` bounds the connection to each address of the host, `read_timeout_seconds` each silence
    of the other side, `total_timeout_seconds` everything together, but for the look-up of the host's name, which has
    the limits of the system's resolver.
    """

    def __init__(
        self,
        connect_timeout_seconds: float = 3,
        read_timeout_seconds: float = 10,
        total_timeout_seconds: float = 20,
        user_agent: str = USER_AGENT,
        clock: Clock = utc_now,
    ) -> None:
        self._timeouts = (connect_timeout_seconds, read_timeout_seconds)
        self._total_seconds = total_timeout_seconds
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # no compressed body, so none that unpacks to gigabytes
            "Connection": "close",
        }
        self._clock = clock
        self._stock: Stock | None = None
        self._guard: AddressGuard | None = None
        self._authority: Path | None = None
        self._certificate: tuple[str, str] | None = None

    @property
    def limits(self) -> tuple[float, float, float]:
        """Seconds to connect, to read, and altogether."""
        return (*self._timeouts, self._total_seconds)

    def keeping(self) -> Self:
        """A client like this one that uses a connection again which another request has left open a moment ago.

        For many messages to one place. If the other side turns out to have closed it before it got anything of the
        request, the request goes over a new one; whenever that is not certain, the outcome is unknown as ever.
        """
        client = copy.copy(self)
        client._headers = self._headers | {"Connection": "keep-alive"}
        client._stock = Stock()
        return client

    def guarded(self, guard: AddressGuard) -> Self:
        """A client like this one for addresses that users give: it connects only where `guard` lets it.

        It goes through no proxy, which would look the name up again, and connect wherever that leads.
        """
        client = self._like_this()
        client._guard = guard
        return client

    def trusting(self, authority: Path | None, certificate: tuple[Path, Path] | None = None) -> Self:
        """A client like this one for a server whose certificate the authority in this file has signed.

        `certificate`: the files of our own certificate and its key, where the server asks for one.
        """
        client = self._like_this()
        client._authority = authority
        client._certificate = (str(certificate[0]), str(certificate[1])) if certificate else None
        return client

    def _like_this(self) -> Self:
        client = copy.copy(self)
        client._stock = (
            None if self._stock is None else Stock()
        )  # connections that others may use were checked otherwise
        return client

    def post_json(
        self,
        url: str,
        payload: Any,
        headers: Mapping[str, str] | None = None,
        judge: Judge = failure_of,
        secrets: Sequence[str] = (),
    ) -> Response:
        """POST `payload` as JSON. `judge` says which answers are failures (by default their status does).

        `secrets` are texts in the payload that an answer may repeat and an error must not.
        Raises DeliveryFailed.
        """
        return self.post_encoded(url, encode(payload), headers, judge, secrets)

    def post_encoded(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        judge: Judge = failure_of,
        secrets: Sequence[str] = (),
    ) -> Response:
        """The same with JSON that `encode` has made, for who has to sign its bytes."""
        response = self._request("POST", url, body, headers, secrets)
        failure = judge(response)
        if failure is not None:
            raise failure
        return response

    def request(
        self,
        method: str,
        url: str,
        *,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        largest_body_bytes: int = LONGEST_BODY_BYTES,
    ) -> Response:
        """Send one request, with `payload` as JSON unless it is None; return the answer, whatever its status.

        What the answer's body has beyond `largest_body_bytes` is cut off.
        Raises DeliveryFailed if no whole answer came; `outcome_unknown` says whether the request may have arrived.
        """
        body = None if payload is None else encode(payload)
        return self._request(method, url, body, headers, largest_body_bytes=largest_body_bytes)

    def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        secrets: Sequence[str] = (),
        largest_body_bytes: int = LONGEST_BODY_BYTES,
    ) -> Response:
        sent = {**self._headers, **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json; charset=utf-8")
        private = private_parts(url, headers or {}, secrets)
        outcome = self._attempt(method, url, body, sent, private, largest_body_bytes)
        if isinstance(outcome, DeliveryFailed):
            # Raised here and not in an `except`: the library's exception, which quotes the address, is no context.
            raise outcome
        return outcome

    def _attempt(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        private: tuple[str, ...],
        largest_body_bytes: int,
    ) -> Response | DeliveryFailed:
        place = _place(url)
        direct = self._guard is not None or is_loopback(place[1])
        request = _Request(
            method,
            url,
            {
                "data": body,
                "headers": headers,
                "timeout": self._timeouts,
                "proxies": dict(_NO_PROXY) if direct else None,
                "verify": str(self._authority) if self._authority else None,
                "cert": self._certificate,
                "allow_redirects": False,
                "stream": True,
            },
            private,
            largest_body_bytes,
        )
        kept = self._stock.take(place) if self._stock else None
        with Deadline(self._total_seconds, self._guard) as deadline:
            outcome = self._exchange(request, kept, place, deadline) if kept else None
            if outcome is None:
                outcome = self._exchange(request, Session(), place, deadline)
        assert outcome is not None, "only over a kept connection can a request be in vain"
        return outcome

    def _exchange(
        self, request: _Request, session: Session, place: Place, deadline: Deadline
    ) -> Response | DeliveryFailed | None:
        """Send and read; None if nobody has seen the request, so that it can go over another connection."""
        try:
            answer = session.request(request.method, request.url, auth=_auth(request.url), **request.options)
            response = self._response(answer, deadline, request)
        except AddressRefused as refused:
            session.close()
            return DeliveryFailed(refused.reason, permanent=True)
        # RequestException is an OSError; a ValueError is an address that cannot be taken apart.
        except (OSError, HTTPError, ValueError) as error:
            session.close()
            if deadline.is_in_vain:
                deadline.begin_again()
                return None
            return transport_failure(error, deadline, self._timeouts)
        if self._stock and answer.raw.closed and isinstance(response, Response) and deadline.let_go():
            self._stock.give_back(place, session)
        else:
            session.close()
        return response

    def _response(
        self,
        answer: requests.Response,
        deadline: Deadline,
        request: _Request,
    ) -> Response | DeliveryFailed:
        text, whole = read_text(answer, request.largest_body_bytes)
        wait = retry_after(answer.headers.get("Retry-After", ""), self._clock())
        response = Response(answer.status_code, answer.headers, text, wait, request.private)
        if response.is_success and (deadline.expired or not whole):
            what = f"was not complete within {deadline.seconds:g} s" if deadline.expired else "broke off"
            reason = f"HTTP {response.status}, but the answer {what}"
            return DeliveryFailed(reason, outcome_unknown=True, http_status=response.status)
        return response  # a refusal is one, however much of its explanation arrived


def _auth(url: str) -> HTTPBasicAuth | Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """The credentials in the address, if any; else a function that does nothing, to keep requests from ~/.netrc."""
    user, password = get_auth_from_url(url)
    return HTTPBasicAuth(user, password) if user or password else lambda request: request


def _place(url: str) -> Place:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:  # such an address is never asked
        return "", "", None

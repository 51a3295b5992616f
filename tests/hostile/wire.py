"""Requests as bytes, and what came back: no HTTP library, which would send nothing wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

TOKEN = "planted-token-new-5dd1"
OLD_TOKEN = "planted-token-old-0a77"
BASIC = "grafana:planted:pass-91c2"
HMAC_SECRET = "planted-hmac-secret-44ab"
SECRETS = (TOKEN, OLD_TOKEN, BASIC.partition(":")[2], HMAC_SECRET)
PATH = "/api/v1/webhooks/alertmanager"
BEARER = f"Authorization: Bearer {TOKEN}"
TIMESTAMP_HEADER = "X-Signed-At"
SIGNATURE_HEADER = "X-Grafana-Alerting-Signature"
CLOSED = 0  # in place of a status: the connection was closed without an answer


@dataclass(frozen=True)
class Case:
    """One request: its name, its bytes, the statuses that are right, and the body that a 200 must have stored.

    `outcome`: of the receipt, where the status is 200. `hang_up`: do not wait for the answer.
    """

    name: str
    raw: bytes
    expect: tuple[int, ...]
    body: bytes = b""
    outcome: str = ""
    hang_up: bool = False


def request(
    body: bytes = b"{}",
    *headers: str,
    method: str = "POST",
    path: str = PATH,
    length: bool = True,
    auth: bool = True,
) -> bytes:
    """A whole request with these headers added to the ones it needs."""
    lines = [f"{method} {path} HTTP/1.1", "Host: receiver.example", "Connection: close", *headers]
    if auth:
        lines.append(BEARER)
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def signature(body: bytes, seconds: int, secret: str = HMAC_SECRET) -> str:
    """What Grafana puts into its signature header."""
    return hmac.new(secret.encode(), f"{seconds}:".encode() + body, hashlib.sha256).hexdigest()


def signed(body: bytes, *, age: int = 0, sent: bytes | None = None, value: str | None = None) -> bytes:
    """A signed request without a token, `age` seconds old; `sent` in place of the signed body."""
    seconds = int(time.time()) - age
    shown = signature(body, seconds) if value is None else value
    headers = (f"{SIGNATURE_HEADER}: {shown}", f"{TIMESTAMP_HEADER}: {seconds}")
    return request(body if sent is None else sent, *headers, auth=False)


def exchange(port: int, raw: bytes, *, hang_up: bool = False, timeout: float = 20) -> bytes:
    """All that the server answers to `raw` until it closes; empty where it says nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        answer = b""
        with suppress(OSError):  # refused before it was sent whole: the answer is there
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
        if hang_up:
            return b""
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                answer += piece
        return answer


def status_of(answer: bytes) -> int:
    """The status of the first answer, past 100 Continue; CLOSED where there is none."""
    if answer.startswith(b"HTTP/1.1 100"):
        answer = answer.partition(b"\r\n\r\n")[2]
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else CLOSED


def content_of(answer: bytes) -> bytes:
    """The body of the last answer."""
    return answer.rpartition(b"\r\n\r\n")[2]


def problem_of(answer: bytes) -> Any:
    """The problem in an answer; AssertionError where it holds none."""
    assert b"Content-Type: application/problem+json\r\n" in answer, answer[:300]
    found = json.loads(content_of(answer))
    assert found["type"].startswith("/problems/") and found["title"] and found["detail"]
    return found

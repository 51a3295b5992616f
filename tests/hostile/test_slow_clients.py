"""Slow senders cost themselves something and nobody else: a deadline for the whole request, and honest ones go on."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from receiver.cli.paced_socket import REQUEST_SECONDS
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment
from tests.hostile.conftest import Target
from tests.hostile.wire import BEARER, PATH, exchange, request, status_of

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{BEARER}\r\n".encode()
HALVES = {"head": HEAD, "body": HEAD + b"Content-Length: 1000\r\n\r\n{"}


def drip_until_refused(port: int, start: bytes) -> bytes:
    """Send `start`, then a byte twice a second, never silent for long, until the server answers."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(0.5)
        client.sendall(start)
        give_up = time.monotonic() + 3 * REQUEST_SECONDS
        while time.monotonic() < give_up:
            try:
                return client.recv(65536)
            except TimeoutError:
                client.sendall(b"a")
    raise AssertionError("the server waited on")


@pytest.mark.parametrize("part", HALVES)
def test_dripping_does_not_put_off_the_deadline(target: Target, part: str):
    before = target.count()
    assert status_of(drip_until_refused(target.port, HALVES[part])) == 408
    assert target.count() == before


def test_two_hundred_half_requests_hold_up_no_honest_one(target: Target):
    with ExitStack() as open_ones:
        for number in range(200):
            slow = open_ones.enter_context(socket.create_connection(("127.0.0.1", target.port)))
            slow.sendall(list(HALVES.values())[number % 2])
        for _ in range(20):  # each is answered while all the others are still held
            answer = exchange(target.port, request(b'{"alerts": [], "version": "4"}'), timeout=5)
            assert status_of(answer) == 200


PLACES = 8


@pytest.fixture
def small_port(sqlite_engine: Engine, tmp_path: Path) -> Iterator[int]:
    """The port of a receiver that serves few connections at once."""
    port = free_port()
    settings = {
        "RECEIVER_DATABASE_URL": sqlite_engine.url.render_as_string(),
        "RECEIVER_BIND": f"127.0.0.1:{port}",
        "RECEIVER_WEB_WORKERS": "1",
        "RECEIVER_WEB_CONNECTIONS": str(PLACES),
    }
    with Process(
        [BIN / "receiver", "serve"], folder=tmp_path, env=environment(settings), name="serve"
    ) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/livez")
        yield port


def test_who_keeps_a_connection_without_using_it_makes_room_for_who_comes(small_port: int):
    answered = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as open_ones:
        for number in range(PLACES):
            keeper = open_ones.enter_context(socket.create_connection(("127.0.0.1", small_port), timeout=20))
            if number % 2:  # some have been served before, and might come again
                keeper.sendall(answered)
                assert status_of(keeper.recv(65536)) == 200
        for _ in range(
            2 * PLACES
        ):  # far below the 75 s for which a connection may be kept while there is room
            keeper = open_ones.enter_context(socket.create_connection(("127.0.0.1", small_port), timeout=20))
            keeper.sendall(answered)
            assert status_of(keeper.recv(65536)) == 200

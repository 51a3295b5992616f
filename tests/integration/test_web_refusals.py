"""A sender whose request is refused gets to read why, however much it was still sending."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment

PATH = "/api/v1/webhooks/alertmanager"
TOKEN = "the-right-token"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("receiver")
    url, port = f"sqlite:///{folder}/receiver.db", free_port()
    engine = create_engine(url)
    upgrade(engine)
    engine.dispose()
    settings = {"DATABASE_URL": url, "BIND": f"127.0.0.1:{port}", "WEBHOOK_TOKEN": TOKEN}
    env = environment({f"RECEIVER_{name}": value for name, value in settings.items()})
    with Process([BIN / "receiver", "serve"], folder=folder, env=env, name="serve") as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz")
        yield port


def post(port: int, body: bytes | Iterator[bytes], token: str = TOKEN, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", PATH, body, {"Authorization": f"Bearer {token}"} | headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("size", [10_000, 300_000, MIB, 4 * MIB, 8 * MIB])
def test_a_wrong_token_is_answered_401_whatever_the_size_of_the_body(port: int, size: int) -> None:
    assert [post(port, b"x" * size, "wrong") for _ in range(5)] == [401] * 5


def test_so_is_a_wrong_token_with_a_body_in_chunks(port: int) -> None:
    assert post(port, iter([b"x" * 100_000] * 40), "wrong") == 401


def test_a_body_that_is_too_large_is_answered_413_with_a_length_and_in_chunks(port: int) -> None:
    assert post(port, b"x" * (8 * MIB + 1)) == 413
    assert post(port, iter([b"x" * MIB] * 9)) == 413


def test_a_compressed_body_is_answered_415(port: int) -> None:
    assert post(port, b"x" * 4 * MIB, **{"Content-Encoding": "gzip"}) == 415

"""What only a real server shows: chunks, early ends, limits, and that a refused body harms nobody after it."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from receiver.storage.engine import create_engine, reading
from receiver.storage.migrate import upgrade
from receiver.storage.tables import deliveries
from tests.builders import bodies
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment

MIB = 1024 * 1024
PATH = "/api/v1/webhooks/alertmanager"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Receiver:
    """A receiver served by gunicorn, over SQLite."""

    port: int
    engine: Engine

    def kept(self) -> list[bytes]:
        with reading(self.engine) as connection:
            return list(connection.execute(select(deliveries.c.body)).scalars())

    def send(self, raw: bytes, *, end: bool = False) -> tuple[int, dict[str, object]]:
        """Sends bytes as they are and reads one answer; `end`: nothing more will come from here."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as sock:
            sock.sendall(raw)
            if end:
                sock.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return answer.status, json.loads(answer.read())

    def post(
        self, body: object, method: str = "POST", path: str = PATH, **headers: str
    ) -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)  # type: ignore[arg-type]  # bytes, or pieces for chunks
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder = tmp_path_factory.mktemp("receiver")
    url = f"sqlite:///{folder}/receiver.db"
    engine = create_engine(url)
    upgrade(engine)
    port = free_port()
    with start(folder, port, {"RECEIVER_DATABASE_URL": url}) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz")
        yield Receiver(port, engine)
    engine.dispose()


def start(folder: Path, port: int, settings: dict[str, str], workers: int = 1) -> Process:
    options = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4"]
    command: list[str | Path] = [
        BIN / "gunicorn",
        *options,
        "--workers",
        str(workers),
        "receiver.wsgi:application",
    ]
    root = str(Path(__file__).parents[2])
    return Process(command, folder=folder, env=environment({**settings, "PYTHONPATH": root}), name="gunicorn")


def in_pieces(size: int) -> Iterator[bytes]:
    while size > 0:
        yield b"x" * min(size, 100_000)
        size -= 100_000


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("chunked", [False, True])
def test_alerts_come_in_with_a_length_and_in_chunks(receiver: Receiver, method: str, chunked: bool) -> None:
    body = bodies.alertmanager([bodies.alert(host=f"{method}{chunked}")])
    status, answer = receiver.post(iter([body[:50], body[50:]]) if chunked else body, method)
    assert (status, answer["outcome"]) == (200, "processed")
    assert body in receiver.kept()


@pytest.mark.parametrize("chunked", [False, True])
def test_eight_mebibytes_pass_and_one_byte_more_does_not(receiver: Receiver, chunked: bool) -> None:
    before = len(receiver.kept())
    body = in_pieces(8 * MIB) if chunked else b"x" * 8 * MIB
    assert receiver.post(body)[0] == 200
    assert len(receiver.kept()[-1]) == 8 * MIB
    status, answer = receiver.post(in_pieces(8 * MIB + 1) if chunked else b"x" * (8 * MIB + 1))
    assert (status, answer["type"]) == (413, "/problems/body-too-large")
    assert len(receiver.kept()) == before + 1


def test_a_chunked_body_far_over_the_limit_is_413_and_never_a_cut_one(receiver: Receiver) -> None:
    before = receiver.kept()
    assert receiver.post(in_pieces(9 * MIB))[0] == 413
    assert receiver.kept() == before


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED + b"5\r\nhello\r\nzz\r\nworld\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhelloworld\r\n0\r\n\r\n",
        CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"\r\n\r\n",
    ],
)
def test_a_bad_chunk_is_400(receiver: Receiver, raw: bytes) -> None:
    before = receiver.kept()
    status, answer = receiver.send(raw)
    assert (status, answer["type"]) == (400, "/problems/broken-body")
    assert receiver.kept() == before


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 50,
        HEAD + b"Content-Length: 100\r\n\r\n",
        CHUNKED + b"a\r\nhello",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
    ],
)
def test_a_body_that_ends_early_is_400_and_is_not_kept(receiver: Receiver, raw: bytes) -> None:
    before = receiver.kept()
    status, answer = receiver.send(raw, end=True)
    assert (status, answer["type"]) == (400, "/problems/broken-body")
    assert receiver.kept() == before


@pytest.mark.parametrize("size", [1000, 5 * MIB])
def test_a_body_refused_unread_is_answered_and_not_reset(receiver: Receiver, size: int) -> None:
    status, answer = receiver.post(b"x" * size, **{"Content-Encoding": "gzip"})
    assert (status, answer["type"]) == (415, "/problems/unsupported-encoding")


@pytest.mark.parametrize(
    "path", [PATH, PATH + "/", "/webhook/alert", "/webhook/alert/", "/api/v1/webhooks/grafana/"]
)
def test_there_is_no_redirect_to_lose_a_body_on(receiver: Receiver, path: str) -> None:
    body = bodies.alertmanager([bodies.alert(path=path)])
    assert receiver.post(body, path=path)[0] == 200
    assert receiver.post(None, "GET", path)[0] == 405


def test_a_connection_goes_on_after_a_refused_body(receiver: Receiver) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)) as connection:
        for size, status in ((8 * MIB + 1, 413), (100, 200), (8 * MIB + 1, 413), (100, 200)):
            connection.request("POST", PATH, b"x" * size)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status


def test_a_sender_of_far_too_much_is_cut_off_and_the_receiver_goes_on(receiver: Receiver) -> None:
    with suppress(ConnectionError):
        assert receiver.post(in_pieces(40 * MIB))[0] == 413
    assert receiver.post(b"after")[0] == 200


def test_requests_sent_one_behind_the_other_are_told_apart(receiver: Receiver) -> None:
    first, second = (bodies.alertmanager([bodies.alert(pipelined=n)]) for n in "ab")
    lengths = [f"Content-Length: {len(body)}\r\n\r\n".encode() for body in (first, second)]
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=30) as sock:
        sock.sendall(HEAD + lengths[0] + first + HEAD + b"Connection: close\r\n" + lengths[1] + second)
        answers = sock.makefile("rb").read()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert receiver.post(b"after")[0] == 200
    assert {first, second} <= set(receiver.kept())


def test_the_processes_of_one_receiver_count_together(receiver: Receiver, tmp_path: Path) -> None:
    shared = tmp_path / "metrics"
    shared.mkdir()
    port = free_port()
    url = receiver.engine.url.render_as_string()
    given = {"RECEIVER_DATABASE_URL": url, "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    with start(tmp_path, port, given, workers=2) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz")
        both = Receiver(port, receiver.engine)
        for _ in range(20):
            both.post(b"nonsense")
        wait_until(lambda: len(list(shared.glob("histogram_*.db"))) == 2, what="both processes at work")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    counted = [line for line in text.splitlines() if line.startswith("receiver_deliveries_total")]
    assert counted == ['receiver_deliveries_total{outcome="quarantined",source="unknown"} 20.0']
    assert "receiver_database_up 1.0" in text
    assert "receiver_open_incidents{" in text


def test_wrong_settings_end_the_server_with_their_names_and_without_a_traceback(tmp_path: Path) -> None:
    settings = {
        "RECEIVER_BIND": "nonsense",
        "RECEIVER_LOG_LEVEL": "LOUD",
        "RECEIVER_WEBHOOK_BASIC": "s3cret-alone",
    }
    with start(tmp_path, free_port(), settings) as process:
        assert process.wait(timeout=60) != 0
        told = process.output()
    for name in settings:
        assert name in told
    assert "s3cret" not in told
    assert "Traceback" not in told


def test_an_answer_without_a_body_arrives_before_the_next_request_of_its_connection(receiver):
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)
    with closing(connection):
        for _ in range(2):
            connection.request("HEAD", "/livez")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
        connection.request("GET", "/livez")
        assert connection.getresponse().read()


def test_an_answer_without_a_body_arrives_although_the_connection_ends_with_it(receiver):
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)
    with closing(connection):
        connection.request("HEAD", "/livez", headers={"Connection": "close"})
        assert connection.getresponse().status == 200

"""Connections that are kept for the next message: used again while they stand, and no message lost or doubled by it."""

from __future__ import annotations

import socket
import struct
import sys
import threading

import pytest

from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, alarm, connection, stock
from tests.fakes.polling import wait_until
from tests.fakes.raw_http import Conversation, RawServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
needs_the_count = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells what has been acknowledged"
)


class Server:
    """Answers each connection as often as `answers` says, in the order of connections, and records what came."""

    def __init__(self, *answers: int, afterwards=lambda client: None, answer: bytes = OK) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = 0
        self._answers = list(answers)
        self._afterwards = afterwards
        self._answer = answer
        self._lock = threading.Lock()
        self.raw = RawServer(self._converse)
        self.url = f"http://127.0.0.1:{self.raw.port}/services/secret"

    def __enter__(self):
        self.raw.__enter__()
        return self

    def __exit__(self, *error):
        self.raw.__exit__(*error)

    def _converse(self, client: Conversation) -> None:
        with self._lock:
            self.connections += 1
            count = self._answers.pop(0) if self._answers else 1000
        for _ in range(count):
            self._take(client)
            client.send(self._answer)
        self._afterwards(client)
        client._sock.close()
        self.closed += 1

    def _take(self, client: Conversation) -> None:
        request = client.read_request()
        with self._lock:
            self.requests.append(request)


def bodies(server: Server) -> list[bytes]:
    return [request.partition(b"\r\n\r\n")[2] for request in server.requests]


def failure(client: HttpClient, url: str) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        client.post_json(url, 2)
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.fixture
def client():
    return HttpClient(connect_timeout_seconds=2, read_timeout_seconds=2, total_timeout_seconds=3).keeping()


def test_messages_to_one_place_share_a_connection(client):
    with Server() as server:
        for number in range(5):
            assert client.post_json(server.url, number).text == "ok"
    assert server.connections == 1
    assert bodies(server) == [b"0", b"1", b"2", b"3", b"4"]


def test_other_clients_keep_none():
    with Server() as server:
        for number in range(3):
            HttpClient().post_json(server.url, number)
    assert server.connections == 3
    assert b"Connection: close" in server.requests[0]


def test_threads_never_share_one_at_the_same_time(client):
    with Server() as server:
        threads = [
            threading.Thread(target=client.post_json, args=(server.url, "x" * 10_000)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert bodies(server) == [b'"' + b"x" * 10_000 + b'"'] * 8


def test_one_that_was_closed_between_two_messages_is_replaced(client):
    with Server(1) as server:
        client.post_json(server.url, 1)
        wait_until(lambda: server.closed == 1)
        assert client.post_json(server.url, 2).text == "ok"
    assert server.connections == 2
    assert bodies(server) == [b"1", b"2"]


@needs_the_count
def test_one_that_is_closed_in_the_moment_of_use_costs_nothing(client, monkeypatch):
    with Server(1) as server:
        client.post_json(server.url, 1)
        wait_until(lambda: server.closed == 1)
        # The goodbye comes right after the look for it.
        monkeypatch.setattr("urllib3.connectionpool.is_connection_dropped", lambda connection: False)
        assert client.post_json(server.url, 2).text == "ok"
    assert bodies(server) == [b"1", b"2"]


@needs_the_count
def test_a_reset_is_no_goodbye(client, monkeypatch):
    # Nothing is acknowledged here either, but it might have been: the reset comes instead of that.
    def reset(listening: Conversation) -> None:
        listening._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(1, afterwards=reset) as server:
        client.post_json(server.url, 1)
        wait_until(lambda: server.closed == 1)
        monkeypatch.setattr("urllib3.connectionpool.is_connection_dropped", lambda connection: False)
        assert failure(client, server.url).outcome_unknown
    assert bodies(server) == [b"1"]


def test_a_request_that_arrived_and_was_not_answered_has_an_unknown_outcome_and_is_not_sent_twice(client):
    server: Server = Server(1, afterwards=lambda one: server._take(one))
    with server:
        client.post_json(server.url, 1)
        error = failure(client, server.url)
    assert (error.permanent, error.outcome_unknown) == (False, True)
    assert bodies(server) == [b"1", b"2"]


def test_the_time_limits_hold_on_one_that_is_kept():
    hasty = HttpClient(connect_timeout_seconds=1, read_timeout_seconds=0.2, total_timeout_seconds=3).keeping()
    bounded = HttpClient(
        connect_timeout_seconds=1, read_timeout_seconds=3, total_timeout_seconds=0.3
    ).keeping()
    for patient, reason in ((hasty, "no answer within 0.2 s"), (bounded, "no complete answer within 0.3 s")):
        with Server(1, afterwards=lambda client: client.hold()) as server:
            patient.post_json(server.url, 1)
            error = failure(patient, server.url)
        assert (error.reason, error.outcome_unknown) == (reason, True)
        assert server.connections == 1


def test_one_with_the_rest_of_an_answer_in_it_is_not_used_again(client):
    with Server(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000) as server:
        for number in range(2):
            assert len(client.post_json(server.url, number).text) == 65536
    assert server.connections == 2


def test_one_that_has_been_idle_is_not_used_again(client, monkeypatch):
    monkeypatch.setattr(stock, "LONGEST_IDLE_SECONDS", 0.0)
    with Server() as server:
        for number in range(3):
            client.post_json(server.url, number)
    assert server.connections == 3


def test_idle_ones_are_closed_although_nobody_asks_for_them(client, monkeypatch):
    monkeypatch.setattr(stock, "LONGEST_IDLE_SECONDS", 0.05)
    with Server(1, afterwards=lambda one: gone(one)) as server:
        ended = []

        def gone(one: Conversation) -> None:
            ended.append(one._sock.recv(1))

        client.post_json(server.url, 1)
        wait_until(lambda: ended == [b""])
    assert server.connections == 1


def test_the_time_limit_of_a_request_that_is_over_does_not_cut_the_next_one(client, monkeypatch):
    give_back = stock.Stock.give_back

    def give_back_at_the_last_moment(self, place, session):
        give_back(self, place, session)  # from here on another thread may use it
        connection._DEADLINE.get()._expire()

    monkeypatch.setattr(stock.Stock, "give_back", give_back_at_the_last_moment)
    with Server() as server:
        for number in range(3):
            assert client.post_json(server.url, number).text == "ok"
    assert server.connections == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_one_alarm_does_not_end_the_others():
    rung = threading.Event()
    threads: list[threading.Thread] = []

    def fail():
        threads[:] = [threading.current_thread()]
        raise KeyError("a bug")

    alarm.Alarm(0.0, fail)
    wait_until(lambda: threads != [] and not threads[0].is_alive())
    alarm.Alarm(0.0, rung.set)
    assert rung.wait(5)


def test_a_cookie_is_not_carried_to_the_next_message(client):
    with Server(answer=OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n")) as server:
        for number in range(2):
            client.post_json(server.url, number)
    assert server.connections == 1
    assert b"cookie" not in server.requests[1].lower()

"""The load counts answers that are whole and right, and nothing else."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from bench.bodies import Requests, Shape
from bench.load import Driven, Load, LoadFailed
from tests.fakes.raw_http import Conversation, RawServer

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nfine"


def drive(script: Callable[[Conversation], None], seconds: float = 0.05, connections: int = 3) -> Driven:
    with RawServer(script) as server, Load(("127.0.0.1", server.port), connections) as load:
        return load.drive(Requests(Shape(), token="t"), itertools.count(1), seconds)


def test_every_request_that_was_answered_is_counted_with_its_latency():
    received: list[bytes] = []

    def answer(conversation: Conversation) -> None:
        while True:
            received.append(conversation.read_request())
            conversation.send(OK)

    driven = drive(answer)
    assert len(received) == len(driven.serials) == len(driven.latencies) > 3
    assert sorted(driven.serials) == list(range(1, len(received) + 1))
    assert driven.seconds >= 0.05
    assert all(latency > 0 for latency in driven.latencies)


def test_an_answer_may_come_in_pieces():
    def answer(conversation: Conversation) -> None:
        while True:
            conversation.read_request()
            for start in range(0, len(OK), 20):
                conversation.send(OK[start : start + 20])

    assert len(drive(answer).serials) >= 3


def test_the_load_waits_for_the_answers_that_are_still_due():
    def answer(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(OK)
        conversation.hold()

    driven = drive(answer, seconds=0.0, connections=5)
    assert sorted(driven.serials) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "wrong",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"more",
    ],
)
def test_an_answer_that_is_not_the_one_expected_ends_the_run(wrong):
    def answer(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(wrong)
        conversation.hold()

    with pytest.raises(LoadFailed):
        drive(answer)


def test_a_receiver_that_hangs_up_ends_the_run():
    def answer(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(OK[:30])

    with pytest.raises(LoadFailed, match="hung up"):
        drive(answer)


def test_a_receiver_that_resets_the_connection_ends_the_run():
    # Closed with the request unread, which a kernel answers with a reset.
    with pytest.raises(LoadFailed):
        drive(lambda conversation: None)


def closing(conversation: Conversation) -> None:
    """One answer on each connection, as servers without keep-alive give it."""
    conversation.read_request()
    conversation.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


def test_a_server_that_closes_after_each_answer_gets_new_connections():
    driven = drive(closing)
    assert len(driven.serials) > 3
    assert sorted(driven.serials) == list(range(1, len(driven.serials) + 1))


def answering(conversation: Conversation) -> None:
    while True:
        conversation.read_request()
        conversation.send(OK)


@pytest.mark.parametrize("number", [2, 7])
def test_the_load_ends_with_its_serial_numbers(number):
    with RawServer(answering) as server, Load(("127.0.0.1", server.port), 3) as load:
        driven = load.drive(Requests(Shape(), token="t"), iter(range(number)), 30)
    assert sorted(driven.serials) == list(range(number))


def test_another_status_can_be_the_expected_one():
    def answer(conversation: Conversation) -> None:
        while True:
            conversation.read_request()
            conversation.send(OK.replace(b"200 OK", b"201 CREATED"))

    with RawServer(answer) as server:
        with Load(("127.0.0.1", server.port), 2, status=201) as load:
            assert load.drive(Requests(Shape(), token="t"), itertools.count(1), 0.05).serials
        with Load(("127.0.0.1", server.port), 2) as load, pytest.raises(LoadFailed, match="expected 200"):
            load.drive(Requests(Shape(), token="t"), itertools.count(1), 0.05)


def test_a_paced_load_sends_as_many_as_it_was_told_to():
    with RawServer(answering) as server, Load(("127.0.0.1", server.port), 3) as load:
        driven = load.drive_paced(Requests(Shape(), token="t"), itertools.count(1), 0.5, 100)
    assert sorted(driven.serials) == list(range(1, 51))
    assert len(driven.latencies) == len(driven.answered_at) == 50
    assert driven.seconds >= 0.49


def test_a_request_that_waits_for_a_connection_counts_with_its_wait():
    def answer(conversation: Conversation) -> None:
        while True:
            conversation.read_request()
            time.sleep(0.05)
            conversation.send(OK)

    with RawServer(answer) as server, Load(("127.0.0.1", server.port), 1) as load:
        driven = load.drive_paced(Requests(Shape(), token="t"), itertools.count(1), 0.1, 100)
    assert max(driven.latencies) > 9 * 0.05e9 - 0.1e9  # the tenth waited for nine others

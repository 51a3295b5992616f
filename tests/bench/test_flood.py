"""What the flood counts, and how soon it says that all is as before."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from bench.bodies import Requests, Shape
from bench.flood.burst import Plan, send_burst
from bench.flood.connection import NO_ANSWER, Answer
from bench.flood.figures import percentile, recovery_seconds, seen
from bench.flood.honest import send_steadily
from bench.flood.slow import SlowSenders
from tests.fakes.raw_http import Conversation, RawServer

RECEIPT = b'{"delivery_id":"01ABC","outcome":"processed"}'


def _answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def _serve(conversation: Conversation, *answers: bytes) -> None:
    for answer in itertools.chain(answers, itertools.repeat(answers[-1])):
        conversation.read_request()
        conversation.send(answer)


@pytest.mark.parametrize(
    ("answer", "kind", "delivery_id"),
    [
        (Answer(200, RECEIPT, 0.1, 1.0), "processed", "01ABC"),
        (Answer(200, b'{"delivery_id":"01ABC","outcome":"spooled"}', 0.1, 1.0), "spooled", "01ABC"),
        (Answer(503, b'{"delivery_id":"01ABC"}', 0.1, 1.0), "503", None),
        (Answer(NO_ANSWER, b"", 0.1, 1.0), "no answer", None),
    ],
)
def test_only_what_was_acknowledged_must_be_stored(answer: Answer, kind: str, delivery_id: str | None):
    assert (answer.kind, answer.delivery_id) == (kind, delivery_id)


def test_it_is_over_when_the_last_bad_answer_has_come():
    answers = [
        Answer(200, RECEIPT, 0.01, 9.0),
        Answer(503, b"", 0.01, 12.0),
        Answer(200, RECEIPT, 0.9, 14.0),
        Answer(200, RECEIPT, 0.01, 15.0),
    ]
    assert recovery_seconds(answers, 10.0) == 4.0
    assert recovery_seconds(answers[-1:], 10.0) == 0.0
    assert recovery_seconds(answers, 14.5) == 0.0


def test_percentiles_are_of_all_answers():
    assert (percentile([1.0, 2.0, 3.0], 50), percentile(list(range(100)), 99), percentile([], 99)) == (
        2.0,
        99,
        0.0,
    )
    assert seen([Answer(200, RECEIPT, 0.2, 1.0), Answer(503, b"", 0.4, 1.0)]).longest == 0.4


def test_a_flood_counts_every_answer_by_its_kind():
    def script(conversation: Conversation) -> None:
        _serve(conversation, _answer(200, RECEIPT), _answer(503, b"{}"))

    with RawServer(script) as server:
        burst = send_burst(Plan(("127.0.0.1", server.port), "t", 200.0, 0.2, 2, 1))
    assert burst.due >= burst.sent == burst.kinds.total() > 2
    assert burst.kinds["processed"] == len(burst.delivery_ids) <= 2
    assert set(burst.kinds) == {"processed", "503"}


def test_honest_senders_go_on_after_a_connection_that_was_closed():
    def script(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(_answer(200, RECEIPT))

    async def send(port: int) -> list[Answer]:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        requests = Requests(Shape(), token="t")
        return await send_steadily(("127.0.0.1", port), requests, itertools.count(1), 100.0, stop)

    with RawServer(script) as server:
        assert {"processed"} <= {answer.kind for answer in asyncio.run(send(server.port))}


def test_slow_senders_come_again_when_they_are_cut_off():
    def script(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 408 X\r\n\r\n")

    async def drip(port: int) -> int:
        async with SlowSenders(("127.0.0.1", port), "t", 2, 0.01) as slow:
            while slow.cut_off < 6:
                await asyncio.sleep(0.01)
            return slow.cut_off

    with RawServer(script) as server:
        assert asyncio.run(asyncio.wait_for(drip(server.port), 30)) >= 6

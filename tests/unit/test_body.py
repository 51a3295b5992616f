"""A body is read whole or not at all."""

import io

import pytest
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from receiver.errors import BodyTooLarge, BrokenBody, SlowBody, TooManyBodies, UnsupportedEncoding
from receiver.web.body import DISCARD_BYTES, discard_body, read_body
from receiver.web.body_room import BodyRoom
from tests.builders.web import environ

LIMIT = 100


class Dripping(io.BytesIO):
    """Hands over less than it is asked for."""

    def read(self, size=-1):
        return super().read(min(size, 7))


class Failing:
    """Breaks while it is read."""

    def __init__(self, error):
        self.error = error
        self.asked = 0

    def read(self, size):
        self.asked += 1
        raise self.error


@pytest.mark.parametrize("length", [-1, None], ids=["announced", "chunked"])
@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
@pytest.mark.parametrize("stream", [io.BytesIO, Dripping])
def test_a_body_up_to_the_limit_is_read_whole(length, size, stream):
    body = bytes(range(256))[:size]
    assert read_body(environ(body, length=length) | {"wsgi.input": stream(body)}, LIMIT) == body


@pytest.mark.parametrize("length", [-1, None], ids=["announced", "chunked"])
def test_a_larger_body_is_refused_and_never_cut(length):
    with pytest.raises(BodyTooLarge):
        read_body(environ(b"x" * (LIMIT + 1), length=length), LIMIT)


def test_an_announced_body_that_is_too_large_is_not_read():
    made = environ(b"x" * 500)
    with pytest.raises(BodyTooLarge):
        read_body(made, LIMIT)
    assert made["wsgi.input"].tell() == 0


def test_a_chunked_body_is_read_no_further_than_the_limit():
    made = environ(b"x" * 5000, length=None)
    with pytest.raises(BodyTooLarge):
        read_body(made, LIMIT)
    assert made["wsgi.input"].tell() == LIMIT + 1


def test_a_body_that_ends_early_is_broken():
    with pytest.raises(BrokenBody, match="50 of 60"):
        read_body(environ(b"x" * 50, length=60), LIMIT)


def test_nothing_beyond_the_announced_length_is_taken():
    assert read_body(environ(b"x" * 60, length=50), LIMIT) == b"x" * 50


@pytest.mark.parametrize("text", ["abc", "-1", "1e3", "²"])
def test_a_length_that_is_no_number_is_broken(text):
    with pytest.raises(BrokenBody):
        read_body(environ(b"x") | {"CONTENT_LENGTH": text}, LIMIT)


@pytest.mark.parametrize("error", [InvalidChunkSize(b"s3cret"), NoMoreData(b"s3cret"), OSError("s3cret")])
def test_a_transport_that_breaks_is_a_broken_body_without_what_was_sent(error):
    with pytest.raises(BrokenBody) as broken:
        read_body(environ(length=None) | {"wsgi.input": Failing(error)}, LIMIT)
    assert "s3cret" not in broken.value.detail


def test_a_sender_that_is_too_slow_is_told_so_without_what_was_sent():
    with pytest.raises(SlowBody) as slow:
        read_body(environ(length=None) | {"wsgi.input": Failing(TimeoutError("s3cret"))}, LIMIT)
    assert "s3cret" not in slow.value.detail


def test_a_body_beyond_the_room_is_refused_and_what_it_held_is_given_back():
    room = BodyRoom(LIMIT)
    with room.booking() as first, room.booking() as second:
        first.add(LIMIT)
        with pytest.raises(TooManyBodies):
            read_body(environ(b"x"), LIMIT, second)
    assert room.held == 0


def test_a_sender_that_falls_silent_does_not_hold_the_thread_for_ever():
    timeouts = []

    class Connection:
        def settimeout(self, seconds):
            timeouts.append(seconds)

    made = environ(b"x" * 5) | {"gunicorn.socket": Connection()}
    assert read_body(made, LIMIT) == b"x" * 5
    assert timeouts[0] is not None
    assert timeouts[-1] is None


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate, gzip"])
def test_a_compressed_body_is_refused(encoding):
    with pytest.raises(UnsupportedEncoding):
        read_body(environ(b"x", Content_Encoding=encoding), LIMIT)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_body_that_says_it_is_not_compressed_is_taken(encoding):
    assert read_body(environ(b"x", Content_Encoding=encoding), LIMIT) == b"x"


def test_what_comes_after_a_refusal_is_read_so_that_the_sender_sees_the_answer():
    made = environ(b"x" * 1_000_000, length=None)
    discard_body(made)
    assert made["wsgi.input"].read() == b""


def test_no_more_than_a_bounded_part_of_a_refused_body_is_read():
    class Endless:
        taken = 0

        def read(self, size):
            self.taken += size
            return b"x" * size

    made = environ(length=None) | {"wsgi.input": Endless()}
    discard_body(made)
    assert made["wsgi.input"].taken == DISCARD_BYTES


def test_a_refused_body_that_breaks_is_no_further_error():
    broken = Failing(NoMoreData())
    discard_body(environ(length=None) | {"wsgi.input": broken})
    assert broken.asked == 1


def test_without_length_and_without_chunks_there_is_no_body():
    made = environ(b"the next request") | {"CONTENT_LENGTH": ""}
    assert read_body(made, LIMIT) == b""

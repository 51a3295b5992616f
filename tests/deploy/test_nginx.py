"""nginx in front of the receiver, run for real: what it lets through, what it holds back, what it says by itself."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest

from receiver.cli.gunicorn_app import KEEPALIVE_SECONDS
from receiver.errors import BodyTooLarge
from receiver.web.body import WEBHOOK_LIMIT_BYTES
from receiver.web.errors import MEDIA_TYPE, TYPE_PREFIX
from tests.deploy.front import CONFIGURATION, Front
from tests.deploy.upstream import Answer, Upstream
from tests.fakes.polling import wait_until

GRAFANA = "/api/v1/webhooks/grafana"
ALERTMANAGER = "/api/v1/webhooks/alertmanager"


def send(
    front: Front,
    path: str = ALERTMANAGER,
    body: bytes | Iterator[bytes] = b"{}",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)) as connection:
        connection.request(
            method, path, body, dict(headers or {}), encode_chunked=not isinstance(body, bytes)
        )
        answer = connection.getresponse()
        return answer, answer.read()


def half_a_request(front: Front) -> socket.socket:
    """A connection over which headers and half of the body have been sent."""
    client = socket.create_connection(("127.0.0.1", front.port), timeout=20)
    client.sendall(f"POST {ALERTMANAGER} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345".encode())
    return client


def test_a_slow_body_reaches_the_receiver_only_when_it_is_whole(front: Front, upstream: Upstream) -> None:
    with half_a_request(front) as slow:
        send(front, body=b"whole")  # nginx has dealt with the slow one's bytes before these: they came first
        assert upstream.begun == 1
        slow.sendall(b"67890")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
    assert [request.body for request in upstream.seen] == [b"whole", b"1234567890"]


def test_who_stops_in_the_middle_is_hung_up_on(start_front: Callable[..., Front], upstream: Upstream) -> None:
    limits = ("client_header_timeout", "client_body_timeout")
    front = start_front(edits={f"{limit} 10s": f"{limit} 1s" for limit in limits})
    with (
        half_a_request(front) as in_the_body,
        socket.create_connection(("127.0.0.1", front.port)) as in_the_head,
    ):
        in_the_head.settimeout(20)
        in_the_head.sendall(b"POST / HTTP/1.1\r\nHo")
        for client in (in_the_body, in_the_head):
            assert hung_up(client)
    assert upstream.begun == 0


def hung_up(client: socket.socket) -> bool:
    """Reads until the other side ends the connection; a time-out of the socket raises."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_the_biggest_body_that_the_receiver_takes_arrives_whole(front: Front, upstream: Upstream) -> None:
    body = bytes(range(256)) * (WEBHOOK_LIMIT_BYTES // 256)
    answer, _ = send(front, body=body)
    assert answer.status == 200
    assert upstream.seen[0].body == body


def test_a_chunked_body_arrives_whole_with_its_length(front: Front, upstream: Upstream) -> None:
    answer, _ = send(
        front, body=iter([b"a" * 70_000, b"b" * 70_000, b"c"]), headers={"Transfer-Encoding": "chunked"}
    )
    assert answer.status == 200
    assert upstream.seen[0].body == b"a" * 70_000 + b"b" * 70_000 + b"c"
    assert upstream.seen[0].headers["Content-Length"] == "140001"
    assert upstream.seen[0].headers["Transfer-Encoding"] is None


@pytest.mark.parametrize("chunked", [False, True])
def test_a_bigger_body_is_refused_in_the_receivers_words_and_the_client_hears_it(
    front: Front, upstream: Upstream, chunked: bool
) -> None:
    half = b"x" * (WEBHOOK_LIMIT_BYTES // 2)
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    answer, body = send(front, body=iter([half, half, b"x"]) if chunked else half * 2 + b"x", headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (413, MEDIA_TYPE)
    assert json.loads(body).items() >= {
        ("type", TYPE_PREFIX + BodyTooLarge.slug),
        ("title", BodyTooLarge.title),
        ("status", BodyTooLarge.status),
    }
    assert upstream.begun == 0


def test_method_credentials_and_signature_pass_unchanged(front: Front, upstream: Upstream) -> None:
    given = {
        "Authorization": "Bearer t0ken",
        "X-Grafana-Alerting-Signature": "ab12",
        "X-Grafana-Alerting-Signature-Timestamp": "1763719200",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",  # for the receiver to refuse
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    send(front, f"{GRAFANA}?x=%2F", b"body", method="PUT", headers=given)
    request = upstream.seen[0]
    assert (request.method, request.path, request.body) == ("PUT", f"{GRAFANA}?x=%2F", b"body")
    assert {name: request.headers[name] for name in given} == given


def test_a_client_cannot_say_where_it_comes_from(front: Front, upstream: Upstream) -> None:
    lies = {
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "elsewhere.example",
        "X-Real-IP": "198.51.100.7",
        "Forwarded": "for=198.51.100.7",
        "X_Forwarded_For": "198.51.100.7",
    }
    send(front, headers=lies)
    headers = upstream.seen[0].headers
    assert headers.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["X-Forwarded-Host"] == headers["Host"] == f"127.0.0.1:{front.port}"
    assert headers["X-Real-IP"] == "127.0.0.1"
    assert headers["Forwarded"] is None
    assert headers["X_Forwarded_For"] is None


@pytest.mark.parametrize("slash", ["", "/", "//"])
@pytest.mark.parametrize("path", [GRAFANA, ALERTMANAGER, "/webhook/alert"])
def test_a_webhook_is_never_redirected(front: Front, upstream: Upstream, path: str, slash: str) -> None:
    answer, _ = send(front, path + slash)
    assert answer.status == 200
    assert (upstream.seen[0].method, upstream.seen[0].path) == ("POST", path)


def test_a_folder_without_its_slash_is_not_redirected_either(front: Front, upstream: Upstream) -> None:
    upstream.answer = Answer(404)
    answer, _ = send(front, "/api/v1/webhooks")
    assert (answer.status, upstream.seen[0].path) == (404, "/api/v1/webhooks")


def test_an_unreachable_receiver_is_503_so_that_alertmanager_tries_again(
    front: Front, upstream: Upstream
) -> None:
    upstream.stop()
    answer, body = send(front)
    assert (answer.status, answer.headers["Content-Type"]) == (503, MEDIA_TYPE)
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(body)["status"] == 503


@pytest.mark.parametrize("status", [400, 401, 409, 500, 502, 503, 504])
def test_answers_of_the_receiver_pass_as_they_are(front: Front, upstream: Upstream, status: int) -> None:
    own = (
        ("Content-Type", "application/problem+json"),
        ("WWW-Authenticate", "Bearer"),
        ("Location", "/elsewhere"),
    )
    upstream.answer = Answer(status, b'{"detail": "in its own words"}', own)
    answer, body = send(front)
    assert (answer.status, body) == (status, b'{"detail": "in its own words"}')
    assert {name: answer.headers[name] for name, _ in own} == dict(own)


def test_one_address_cannot_take_every_connection(
    start_front: Callable[..., Front], upstream: Upstream
) -> None:
    front = start_front(edits={"limit_conn per_address 100": "limit_conn per_address 2"})
    with half_a_request(front), half_a_request(front):
        answer, body = send(front)  # 503, never 429: Alertmanager drops what is answered 429
        assert (answer.status, json.loads(body)["status"]) == (503, 503)
    wait_until(lambda: send(front)[0].status == 200, what="nginx to notice that the two have gone")


def test_connections_to_the_receiver_are_used_again(front: Front, upstream: Upstream) -> None:
    for _ in range(10):
        send(front)
    assert len({request.connection for request in upstream.seen}) == 1


def test_the_log_has_no_query_and_no_credential(front: Front) -> None:
    send(
        front,
        f"{GRAFANA}?token=s3cret-query",
        b"s3cret-body",
        headers={"Authorization": "Bearer s3cret-token"},
    )
    front.wait_for_output(f'"path":"{GRAFANA}","status":200')
    line = next(line for line in front.output().splitlines() if GRAFANA in line)
    assert json.loads(line)["method"] == "POST"
    assert "s3cret" not in front.output()


def test_the_receivers_address_is_asked_for_again_while_nginx_runs() -> None:
    # Debian's nginx is too old to run this part; the image's is not.
    text = (CONFIGURATION / "upstream.conf").read_text(encoding="utf-8")
    lines = [line.partition("#")[0].split() for line in text.splitlines()]
    directives = {words[0]: words[1:] for words in lines if words}
    assert "resolve" in directives["server"]
    assert "zone" in directives, "`resolve` needs a zone"
    assert directives["resolver"][0] == "127.0.0.11", "Docker's name server"


def test_idle_connections_are_given_up_by_nginx_before_the_receiver_closes_them() -> None:
    text = (CONFIGURATION / "upstream.conf").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"^\s*keepalive_timeout (\d+)s;", text, re.MULTILINE)
    assert int(seconds) < KEEPALIVE_SECONDS

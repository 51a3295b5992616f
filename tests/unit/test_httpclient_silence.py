"""The way out when no answer comes: what is said, whether the request can have arrived, and that it ends in time."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from tests.fakes.leaks import assert_tells_nothing_of
from tests.fakes.ports import free_port
from tests.fakes.raw_http import Conversation, RawServer
from tests.fakes.slack import DROP, SlackServer, hang

SECRET = "secret-of-the-webhook"
PATIENT = HttpClient()
HASTY = HttpClient(connect_timeout_seconds=0.3, read_timeout_seconds=0.3, total_timeout_seconds=5)
BOUNDED = HttpClient(connect_timeout_seconds=2, read_timeout_seconds=2, total_timeout_seconds=0.5)
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def url_of(server: RawServer, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.port}/services/T000/B000/{SECRET}"


def failure(client: HttpClient, url: str, **options) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        client.post_json(url, {"text": "hello"}, **options)
    assert_tells_nothing_of(caught.value, url)
    return caught.value


def test_a_refused_connection_means_that_nothing_was_sent():
    error = failure(HASTY, f"http://127.0.0.1:{free_port()}/services/{SECRET}")
    assert error.reason == "connection refused"
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_an_unknown_host_is_transient(monkeypatch):
    def nobody(*args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    error = failure(HASTY, f"http://slack.invalid/services/{SECRET}")
    assert "could not be resolved" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_a_connection_that_is_never_taken_means_that_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)  # fills the queue that nobody empties
        error = failure(HASTY, f"http://127.0.0.1:{address[1]}/services/{SECRET}")
        for sock in waiting:
            sock.close()
    assert error.reason == "no connection within 0.3 s"
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_silence_after_sending_leaves_the_outcome_open(slack: SlackServer):
    slack.answer(hang(30))
    error = failure(HASTY, slack.url)
    assert error.reason == "no answer within 0.3 s"
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_connection_cut_after_sending_leaves_the_outcome_open(slack: SlackServer):
    slack.answer(DROP)
    error = failure(HASTY, slack.url)
    assert "cut before an answer came" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_an_answer_that_is_no_http_leaves_the_outcome_open():
    def gibberish(client: Conversation) -> None:
        client.read_request()
        client.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    with RawServer(gibberish) as server:
        error = failure(HASTY, url_of(server))
    assert (error.permanent, error.outcome_unknown) == (False, True)


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 2\r\n\r\no",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"Content-Length: 9\r\n\r\n",
    ],
)
def test_a_success_that_breaks_off_is_none(rest):
    def cut(client: Conversation) -> None:
        client.read_request()
        client.send(OK_HEAD + rest)

    with RawServer(cut) as server:
        error = failure(HASTY, url_of(server))
    assert error.reason == "HTTP 200, but the answer broke off"
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_refusal_that_breaks_off_is_still_one():
    def cut(client: Conversation) -> None:
        client.read_request()
        client.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\naction_prohib")

    with RawServer(cut) as server:
        error = failure(HASTY, url_of(server))
    assert error.reason == "HTTP 403: action_prohib"
    assert error.permanent


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 O", b"K"),
        (OK_HEAD + b"X-Slow: ", b"x"),
        (OK_HEAD, b"X-Slow: 1\r\n"),
        (OK_HEAD + b"Content-Length: 60000\r\n\r\n", b"o"),
        (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\no\r\n"),
        (OK_HEAD + b"\r\n", b"o"),
    ],
    ids=["status line", "one header", "headers", "body with a length", "chunks", "body without a length"],
)
def test_a_server_that_drips_is_cut_off_at_the_deadline(start, drop):
    def dripping(client: Conversation) -> None:
        client.read_request()
        client.drip(start, drop)

    with RawServer(dripping) as server:
        error = failure(BOUNDED, url_of(server))
    assert "complete" in error.reason
    assert "within 0.5 s" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_refusal_that_drips_is_cut_off_and_still_a_refusal():
    def dripping(client: Conversation) -> None:
        client.read_request()
        client.drip(b"HTTP/1.1 404 Not Found\r\n\r\n", b"o")

    with RawServer(dripping) as server:
        error = failure(BOUNDED, url_of(server))
    assert (error.http_status, error.permanent) == (404, True)


def test_a_tls_handshake_that_drips_is_cut_off_and_nothing_was_sent():
    with RawServer(lambda client: client.drip(b"\x16\x03\x03\x3f\x00", b"x")) as server:
        error = failure(BOUNDED, url_of(server, "https"))
    assert error.reason == "no complete answer within 0.5 s"
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_a_tls_handshake_that_never_begins_means_that_nothing_was_sent():
    with RawServer(lambda client: client.hold()) as server:
        error = failure(HASTY, url_of(server, "https"))
    assert error.reason == "no connection within 0.3 s"
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_plain_http_where_tls_was_meant_is_said():
    with RawServer(lambda client: client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        error = failure(HASTY, url_of(server, "https"))
    assert error.reason.startswith("TLS: the handshake failed")
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_an_unknown_certificate_is_refused_before_anything_is_sent(tls_context: tuple[ssl.SSLContext, Path]):
    got = []
    with RawServer(lambda client: got.append(client.read_request()), tls=tls_context[0]) as server:
        error = failure(HASTY, url_of(server, "https"))
    assert "self-signed certificate" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, False)
    assert not got


def test_a_certificate_for_another_host_is_refused(tls_context: tuple[ssl.SSLContext, Path], monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_context[1]))
    with RawServer(lambda client: client.hold(), tls=tls_context[0]) as server:
        error = failure(HASTY, url_of(server, "https").replace("127.0.0.1", "localhost"))
    assert "Hostname mismatch" in error.reason
    assert "localhost" not in error.reason


def test_an_authority_of_ones_own_is_trusted_where_the_environment_names_it(
    tls_context: tuple[ssl.SSLContext, Path], monkeypatch
):
    def friendly(client: Conversation) -> None:
        client.read_request()
        client.send(OK_HEAD + b"Content-Length: 2\r\n\r\nok")

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_context[1]))
    with RawServer(friendly, tls=tls_context[0]) as server:
        assert PATIENT.post_json(url_of(server, "https"), {}).text == "ok"


@pytest.fixture
def tls_context(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A TLS server's context with a fresh self-signed certificate for 127.0.0.1, and that certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return context, file

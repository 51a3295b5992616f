"""Dependencies of a diagnosis: a real MariaDB, real HTTP servers, and sockets that speak the other protocols."""

from __future__ import annotations

import struct

import pytest
from sqlalchemy import make_url

from receiver.domain.dependency_address import split_web
from receiver.domain.diagnosis import DependencyKind
from tests.builders.dependencies import PASSWORD, look, why
from tests.fakes.ports import free_port
from tests.fakes.raw_http import RawServer
from tests.fakes.slack import Answer, SlackServer


def look_at(kind, server, **options):
    return look(kind, f"127.0.0.1:{server.port}", **options)


def why_at(kind, server, **options):
    return why(kind, f"127.0.0.1:{server.port}", **options)


@pytest.fixture
def closed_port():
    return free_port()


# --- what holds for all of them


@pytest.mark.parametrize("kind", DependencyKind)
def test_a_port_that_nobody_listens_on_is_refused(kind, closed_port):
    reason = why(kind, f"127.0.0.1:{closed_port}", path="/" if kind == "http" else "")
    assert reason == "connection refused"


@pytest.mark.parametrize("kind", [kind for kind in DependencyKind if kind != "tcp"])
def test_a_server_that_says_nothing_is_given_up_in_the_time_of_the_probe(kind):
    with RawServer(lambda client: client.hold()) as server:
        reason = why_at(kind, server, path="/" if kind == "http" else "", timeout=0.3)
    assert "within 0.3 s" in reason


@pytest.mark.parametrize("kind", [kind for kind in DependencyKind if kind not in ("tcp", "http")])
@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3, b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 64, b"\xff" * 64, b"x"],
)
def test_a_server_that_speaks_something_else_is_no_such_dependency(kind, answer):
    with RawServer(lambda client: client.send(answer)) as server:
        assert why_at(kind, server, timeout=2).startswith("connected, but ")


@pytest.mark.parametrize("kind", [kind for kind in DependencyKind if kind not in ("tcp", "http")])
def test_a_server_that_drips_is_given_up_in_the_time_of_the_probe(kind):
    start = {
        "mysql": b"\xff\xff\x00\x00",
        "postgresql": b"R\x00\x00\x10\x00",
        "redis": b"+",
        "kafka": b"\x00\x00\x10\x00",
    }
    with RawServer(lambda client: client.drip(start[kind], b"\x01")) as server:
        assert "within 0.3 s" in why_at(kind, server, timeout=0.3)


# --- TCP


def test_tcp_is_there_when_it_takes_connections():
    with RawServer(lambda client: client.hold()) as server:
        assert look_at("tcp", server) == {"address": f"127.0.0.1:{server.port}", "ok": True}


# --- HTTP


def web(text, **options):
    parts = split_web(text)
    return look("http", parts.place, path=parts.path, is_tls=parts.is_tls, **options)


@pytest.mark.parametrize(
    ("status", "is_ok"), [(200, True), (204, True), (302, True), (404, False), (503, False)]
)
def test_a_web_service_is_told_by_its_status(status, is_ok):
    with SlackServer() as server:
        server.answer_always(Answer(status, "" if status == 204 else "body with secrets"))
        found = web(f"{server.base_url}/health?full=1")
        assert server.messages()[0].path == "/health?full=1"
    address = server.base_url.removeprefix("http://")
    assert found == {"address": address, "ok": is_ok, "status": status}


def test_a_redirect_into_the_metadata_service_is_not_followed():
    with SlackServer() as server:
        server.answer_always(Answer(302, "", {"Location": "http://169.254.169.254/latest/"}))
        assert web(f"{server.base_url}/")["status"] == 302


# --- MySQL


@pytest.fixture
def server_address(mysql_url):
    url = make_url(mysql_url)
    return f"{url.host}:{url.port}"


def test_a_database_server_is_there_when_it_lets_clients_sign_in(server_address):
    found = look("mysql", server_address)
    assert (found["ok"], found["address"]) == (True, server_address)
    assert found["version"]
    assert "connections" not in found


def greeting(version=b"8.4.3"):
    """https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html"""
    capabilities = 0x000FF7FF
    return (
        b"\x0a" + version + b"\0" + struct.pack("<I", 7) + b"12345678\0" + struct.pack("<H", capabilities & 0xFFFF)
        + struct.pack("<BHHB", 45, 2, capabilities >> 16, 21) + b"\0" * 10 + b"123456789012\0"
        + b"mysql_native_password\0"
    )  # fmt: skip


def packet(number, data):
    return struct.pack("<I", len(data) | number << 24) + data


def test_it_leaves_by_a_refused_login_for_a_client_that_just_leaves_gets_its_host_blocked():
    """After max_connect_errors connections that end without a login, a server shuts the host out (error 1129)."""
    logins = []

    def script(client):
        client.send(packet(0, greeting()))
        logins.append(client.receive(40))
        client.send(
            packet(2, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for 'receiver-probe'@'x'")
        )

    with RawServer(script) as server:
        found = look_at("mysql", server)
    assert b"receiver-probe\0" in logins[0]
    assert (found["ok"], found["version"]) == (True, "8.4.3")
    assert "Access denied" not in str(found)


def test_a_database_of_the_settings_is_signed_in_to_and_says_how_busy_it_is(mysql_url, server_address):
    found = look("mysql", "orders", databases={"orders": mysql_url})
    assert (found["ok"], found["address"]) == (True, server_address)
    assert 1 <= found["connections"] <= found["max_connections"]
    assert str(make_url(mysql_url).password) not in str(found)


def test_a_wrong_password_of_the_settings_is_said_by_its_number(mysql_url):
    wrong = make_url(mysql_url).set(password=PASSWORD).render_as_string(hide_password=False)
    assert (
        why("mysql", "orders", databases={"orders": wrong})
        == "the server refuses: error 1045 (access denied error)"
    )


def test_a_server_without_room_for_one_more_is_not_all_right():
    refusal = b"\xff" + struct.pack("<H", 1040) + b"#08004Too many connections"
    with RawServer(lambda client: client.send(packet(0, refusal))) as server:
        assert why_at("mysql", server) == "the server refuses: error 1040 (con count error)"


def test_names_lead_only_to_what_the_settings_have_of_that_kind(mysql_url):
    assert "has no database of this name" in why("mysql", "orders")
    assert "is no postgresql:// address" in why("postgresql", "orders", databases={"orders": mysql_url})
    assert "is no mysql:// address" in why(
        "mysql", "orders", databases={"orders": f"mysql://u:{PASSWORD}@:x"}
    )


# --- PostgreSQL


def postgres(kind, body):
    def script(client):
        client.receive(8)
        client.send(kind + struct.pack("!i", len(body) + 4) + body)

    return RawServer(script)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"R", struct.pack("!i", 0)),
        (b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"),
        (b"E", b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0"),
        (b"E", b"SFATAL\0C3D000\0Mdatabase does not exist\0\0"),
    ],
)
def test_a_postgresql_server_is_there_when_it_asks_who_comes(kind, body):
    with postgres(kind, body) as server:
        assert look_at("postgresql", server)["ok"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (b"53300", "too many connections"),
        (b"57P03", "starting up, or in recovery"),
        (b"57P01", "shutting down"),
    ],
)
def test_a_postgresql_server_that_takes_nobody_is_not_all_right(state, reason):
    with postgres(b"E", b"SFATAL\0C" + state + b"\0Msorry\0\0") as server:
        assert why_at("postgresql", server) == f"the server refuses: {reason} (SQLSTATE {state.decode()})"


def test_a_postgresql_server_of_the_settings_is_asked_for_its_own_database():
    asked = []
    body = struct.pack("!i", 5) + b"salt"

    def script(client):
        asked.append(client.receive(8))
        client.send(b"R" + struct.pack("!i", len(body) + 4) + body)

    with RawServer(script) as server:
        url = f"postgresql://app:{PASSWORD}@127.0.0.1:{server.port}/shop"
        assert look("postgresql", "orders", databases={"orders": url})["ok"]
    assert b"user\0app\0database\0shop\0" in asked[0]
    assert PASSWORD.encode() not in asked[0]


# --- Redis


def redis(*answers):
    def script(client):
        for answer in answers:
            client.receive(1)
            client.send(answer)

    return RawServer(script)


@pytest.mark.parametrize("answer", [b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n"])
def test_a_redis_is_there_when_it_answers(answer):
    with redis(answer) as server:
        assert look_at("redis", server)["ok"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"-LOADING Redis is loading\r\n", "loading its data"),
        (b"-ERR max number of clients reached\r\n", "too many clients"),
    ],
)
def test_a_redis_that_cannot_serve_is_not_all_right(answer, reason):
    with redis(answer) as server:
        assert reason in why_at("redis", server)


def test_a_redis_of_the_settings_is_signed_in_to():
    with redis(b"+OK\r\n", b"+PONG\r\n") as server:
        url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
        assert look("redis", "cache", databases={"cache": url})["ok"]
    with redis(b"-WRONGPASS invalid username-password pair\r\n") as server:
        url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
        assert "user or the password" in why("redis", "cache", databases={"cache": url})


# --- Kafka


def kafka(error=0):
    def script(client):
        request = client.receive(8)
        (key, version, correlation) = struct.unpack("!hhi", request[4:12])
        assert (key, version) == (18, 0)
        answer = struct.pack("!ihi", correlation, error, 0)
        client.send(struct.pack("!i", len(answer)) + answer)

    return RawServer(script)


def test_a_kafka_broker_is_there_when_it_says_what_it_knows():
    with kafka() as server:
        assert look_at("kafka", server)["ok"]


def test_a_kafka_broker_that_refuses_is_not_all_right():
    with kafka(error=35) as server:
        assert why_at("kafka", server) == "the broker refuses: error 35"

"""RECEIVER_BROKER_URL, taken apart: kind of broker, servers, credential, and how the connection is protected."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote

_FORM = "must be SCHEME://[user:password@]host:port[,host:port...], and %40 for an @ in a password"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class BrokerKind(StrEnum):
    """The brokers that events can go out to."""

    NATS = "nats"
    KAFKA = "kafka"


_SCHEMES = {
    "nats": (BrokerKind.NATS, 4222),
    "tls": (BrokerKind.NATS, 4222),
    "kafka": (BrokerKind.KAFKA, 9092),
}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is. `user` without `password` is a NATS token; `mechanism` is Kafka's way to sign in."""

    kind: BrokerKind
    servers: tuple[str, ...]  # host:port
    is_encrypted: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str = "PLAIN"


def parse_broker_address(text: str) -> BrokerAddress:
    """The address that `text` names; raises ValueError in words for people, without the text itself."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES or any(c.isspace() for c in text):
        raise ValueError("must begin with nats://, tls:// (NATS over TLS) or kafka://")
    kind, default_port = _SCHEMES[scheme]
    place, _, query = rest.partition("?")
    credential, _, hosts = place.rstrip("/").rpartition("@")
    user, _, password = credential.partition(":")
    options = _options(kind, query)
    if kind is BrokerKind.KAFKA and bool(user) != bool(password):
        raise ValueError("Kafka needs user and password, or neither")
    return BrokerAddress(
        kind=kind,
        servers=tuple(_server(host, default_port) for host in hosts.split(",")),
        is_encrypted=scheme == "tls" or options.get("tls") == "on",
        user=unquote(user) or None,
        password=unquote(password) or None,
        mechanism=options.get("sasl", "PLAIN"),
    )


def _server(text: str, default_port: int) -> str:
    match = _HOST.fullmatch(text)
    port = int(match[2] or default_port) if match else 0
    if match is None or not 0 < port < 65536:
        raise ValueError(_FORM)
    return f"{match[1]}:{port}"


def _options(kind: BrokerKind, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if query and (
        kind is not BrokerKind.KAFKA
        or not options.keys() <= {"tls", "sasl"}
        or options.get("tls", "on") not in ("on", "off")
        or options.get("sasl", "PLAIN") not in _MECHANISMS
    ):
        raise ValueError(f"after ? only Kafka has options: tls=on and sasl={'|'.join(_MECHANISMS)}")
    return options

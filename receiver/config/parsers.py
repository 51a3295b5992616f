"""From the text of one variable to its value. Each raises ValueError in words for people, without the text itself."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from receiver.domain.action_names import DATABASE_SCHEMES, flaw_of_action_glob
from receiver.domain.broker_address import parse_broker_address
from receiver.domain.channel import CHANNEL_NAME, SLACK_CHANNEL
from receiver.domain.loopback import is_loopback
from receiver.domain.severity import DEFAULT_PRIORITIES, Priority, Severity
from receiver.domain.signing_key import parse_signing_key

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ROLES = ("viewer", "responder", "admin")
REMEDIATION_MODES = ("on", "off", "dry-run")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A listening address."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A credential for the API: who it is, what that one may do, and the secret itself."""

    name: str
    role: str
    token: str = dataclasses.field(repr=False)


def host_port(text: str) -> HostPort:
    """`host:port`; an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8080")
    return HostPort(host.strip("[]"), int(port))


def database_url(text: str) -> str:
    """A SQLAlchemy URL of an engine that the receiver runs on."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError(
            "must be a SQLAlchemy URL, for example mysql+pymysql://user:password@host/name"
        ) from None
    if url.get_backend_name() not in ("sqlite", "mysql", "mariadb"):
        raise ValueError("must begin with sqlite:///, mysql+pymysql:// or mariadb+pymysql://")
    return text


def web_url(text: str) -> str:
    """An http(s) address with a host, without its last slash."""
    try:
        parts = urlsplit(text)
        is_usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is never closed, a port above 65535
        is_usable = False
    if not is_usable or not text.startswith(("http://", "https://")) or any(c.isspace() for c in text):
        raise ValueError("must be an http:// or https:// address")
    return text.rstrip("/")


def secrets(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def signing_secrets(text: str) -> tuple[str, ...]:
    """Keys that sign messages, checked."""
    found = secrets(text)
    for secret in found:
        parse_signing_key(secret)
    return found


def networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR form."""
    try:
        return tuple(ipaddress.ip_network(part) for part in secrets(text))
    except ValueError:
        raise ValueError("must be networks, comma-separated, for example 10.1.0.0/16,fd00::/8") from None


def names(text: str) -> tuple[str, ...]:
    """Names of labels, at least one."""
    found = secrets(text)
    if not found:
        raise ValueError("must be names, comma-separated")
    return found


def basic(text: str) -> tuple[str, ...]:
    """user:password pairs."""
    pairs = secrets(text)
    if any(not all(pair.partition(":")[::2]) for pair in pairs):
        raise ValueError("must be user:password (several: comma-separated)")
    return pairs


def api_tokens(text: str) -> tuple[ApiToken, ...]:
    """name:role:token entries."""
    tokens = []
    for entry in secrets(text):
        name, role, token = (*entry.split(":", 2), "", "")[:3]
        if not name or role not in ROLES or not token:
            raise ValueError(f"must be name:role:token, ..., with a role of {', '.join(ROLES)}")
        tokens.append(ApiToken(name, role, token))
    return tuple(tokens)


def priorities(text: str) -> Mapping[str, str]:
    """The default table, with the entries given here."""
    table = dict(DEFAULT_PRIORITIES)
    for entry in secrets(text):
        severity, _, priority = entry.partition("=")
        if not severity or priority.upper() not in Priority.__members__:
            raise ValueError("must be severity=priority, ..., for example critical=P0,warning=P3")
        table[severity.strip().lower()] = priority.upper()
    return table


def severity(text: str) -> Severity:
    """One of the severities."""
    try:
        return Severity(text.lower())
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Severity)}") from None


def positive_int(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("must be a whole number of at least 1")
    return int(text)


def positive_seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ValueError("must be a number of seconds above 0")
    return seconds


def switch(text: str) -> bool:
    """on or off."""
    if text.lower() not in ("on", "off"):
        raise ValueError("must be on or off")
    return text.lower() == "on"


def level(text: str) -> str:
    """A log level."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def remediation_mode(text: str) -> str:
    """on, off or dry-run."""
    if text.lower() not in REMEDIATION_MODES:
        raise ValueError(f"must be one of {', '.join(REMEDIATION_MODES)}")
    return text.lower()


def paths(text: str) -> tuple[Path, ...]:
    """Absolute folders."""
    found = tuple(Path(part) for part in secrets(text))
    if not all(path.is_absolute() for path in found):
        raise ValueError("must be absolute folders, comma-separated, for example /var/log/app,/var/tmp/cache")
    return found


def named_urls(text: str) -> Mapping[str, str]:
    """name=url, ...: addresses that are secrets, under the names by which rules know them."""
    found: dict[str, str] = {}
    for entry in secrets(text):
        name, _, url = entry.partition("=")
        if not CHANNEL_NAME.fullmatch(name.strip()) or "://" not in url or name.strip() in found:
            raise ValueError(
                "must be name=url, ... (a comma in a url is %2C); a name is 1 to 24 of a-z, 0-9 and -, each once"
            )
        found[name.strip()] = url.strip()
    return found


def action_globs(text: str) -> tuple[str, ...]:
    """Names of actions, or globs as `kubernetes.*`; each must name an action that there is. `none` stands alone."""
    found = names(text)
    if found == ("none",):
        return ()
    flaws = list(filter(None, map(flaw_of_action_glob, found)))
    if flaws:
        raise ValueError("; ".join(flaws))
    return found


def database_urls(text: str) -> Mapping[str, str]:
    """name=url, ... of databases that actions may name."""
    found = named_urls(text)
    for name, url in found.items():
        # Only the name is told: what stands before :// may be part of a secret too.
        if url.partition("://")[0].partition("+")[0] not in DATABASE_SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in DATABASE_SCHEMES)
            raise ValueError(f"the address of {name} must begin with one of {known}")
    return found


def broker_url(text: str) -> str:
    """The address of a NATS or Kafka broker; several hosts between commas."""
    parse_broker_address(text)
    return text


def topic_prefix(text: str) -> str:
    """What stands before the names of topics."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError("must be 1 to 64 letters, digits, - or _")
    return text


def slack_channel(text: str) -> str:
    """A channel's id, or its name."""
    if not SLACK_CHANNEL.fullmatch(text):
        raise ValueError("must be a channel's id, as in C0123456789, or its name, as in #alerts")
    return text

"""Where a dependency is: what a rules file says, and what it comes to once the values of an alert are in it. Pure.

Values come from whoever sends alerts. So the parts of an address are told apart as the file has them, filled in one by
one, and each must then be what it stands for: no value can become another part.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_VALUE = r"\{\{.*?\}\}"
_WEB = re.compile(rf"(https?)://((?:{_VALUE}|[^/{{])+)(/.*)?", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:]+)(?::(?P<port>[0-9]{1,5}))?")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500}")
_HAS_VALUES = re.compile(r"\{[{%]")


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number (IPv6 without brackets), and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """The parts of an http(s) address: host with or without a port, and path. Both may hold `{{ ... }}` still."""

    is_tls: bool
    place: str
    path: str


def has_values(text: str) -> bool:
    """Whether something of an alert is to be filled in."""
    return _HAS_VALUES.search(text) is not None


def split_web(text: str) -> WebAddress:
    """The parts of an http(s) address of a rules file. Raises ValueError with what would be right."""
    found = _WEB.fullmatch(text)
    if found is None or "@" in found[2] or "?" in found[2] or "#" in text:
        raise ValueError("must be http://host:port/path or https://..., without a password")
    return WebAddress(found[1] == "https", found[2], found[3] or "/")


def parse_address(text: str, default_port: int | None = None) -> Address:
    """`host:port`, without any `{{ ... }}`. Raises ValueError with what would be right, which never repeats `text`."""
    found = _PLACE.fullmatch(text)
    port = (found["port"] or default_port) if found else None
    if found is None or port is None or not 0 < int(port) < 65536:
        raise ValueError("must be host:port, for example db.shop:3306 or [fd00::1]:3306")
    host = found["host"]
    if host.startswith("["):
        return Address(_ipv6(host[1:-1]), int(port))
    if not _HOST.fullmatch(host) or ".." in host:
        raise ValueError("must name a host: letters, digits, dots and hyphens, or an IP address")
    return Address(host, int(port))


def parse_path(text: str) -> str:
    """The path of an http(s) address, without any `{{ ... }}`. Raises ValueError with what would be right."""
    if not _PATH.fullmatch(text) or ".." in text:
        raise ValueError("must have a path of at most 500 plain characters, without ..")
    return text


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("must have an IPv6 address between [ and ]") from None

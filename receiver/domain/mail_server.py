"""Where mail is handed in: what RECEIVER_SMTP_URL says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from receiver.domain.loopback import is_loopback

FORM = "must be smtp://user:password@host:587 or smtps://user:password@host:465 (user and password if needed)"
_PORTS = {"smtp": 587, "smtps": 465}  # https://www.rfc-editor.org/rfc/rfc8314#section-3.3
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


class Security(StrEnum):
    """How the connection is protected. Whatever is asked for is demanded: there is no falling back."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server for submission, and how to talk to it."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


def parse_mail_server(url: str) -> MailServer:
    """The server of `smtp://user:password@host:port?starttls=required|off` or `smtps://...`.

    STARTTLS is required unless the server is on this machine. Raises ValueError, which does not quote the URL.
    """
    try:
        parts = urlsplit(url)
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError(FORM) from None
    host, user, password = parts.hostname or "", unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme not in _PORTS or not host or port == 0 or parts.path.strip("/") or parts.fragment:
        raise ValueError(FORM)
    if not password.isascii() or not user.isascii():
        raise ValueError("must have user and password in ASCII")
    if bool(user) != bool(password):
        raise ValueError("must have both user and password, or neither")
    security = _security(parts.scheme, host, options)
    if password and security is Security.NONE and not is_loopback(host):
        raise ValueError("must not send a password without TLS: leave starttls=off out, or use smtps://")
    return MailServer(host, port or _PORTS[parts.scheme], security, user, password)


def _security(scheme: str, host: str, options: dict[str, str]) -> Security:
    starttls = options.pop("starttls", None)
    if options or starttls not in (None, "required", "off") or (starttls and scheme == "smtps"):
        raise ValueError("can have ?starttls=required or ?starttls=off after smtp://..., and nothing else")
    if scheme == "smtps":
        return Security.TLS
    if starttls == "required" or (starttls is None and not is_loopback(host)):
        return Security.STARTTLS
    return Security.NONE


def parse_mailbox(text: str) -> str:
    """An address such as `ops@example.org`, ASCII only. Raises ValueError."""
    address = text.strip()
    if not _MAILBOX.fullmatch(address):
        raise ValueError("must be an address like ops@example.org, without a name")
    return address


def parse_mailboxes(text: str) -> tuple[str, ...]:
    """Several of them, separated by commas, each once. Raises ValueError."""
    addresses = tuple(dict.fromkeys(parse_mailbox(part) for part in text.split(",") if part.strip()))
    if not addresses:
        raise ValueError("must be addresses like ops@example.org, comma-separated")
    return addresses

"""Compares what a request shows with what the settings hold: in constant time, on bytes, against every secret.

Nothing of a credential leaves this module: neither in a text nor in an error.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Iterable
from hashlib import sha256

# What may stand around a header's value (RFC 9110, 5.6.3). Python's own idea of blanks has control characters, too.
OWS = " \t"


def digest(secret: bytes) -> bytes:
    """What is compared instead of the secret: always of one length, so that the time tells nothing of the secret's."""
    return sha256(secret).digest()


def digests(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """The digests of secrets as they stand in the settings."""
    return tuple(digest(secret.encode()) for secret in secrets)


def matches(shown: bytes, accepted: Iterable[bytes]) -> bool:
    """Whether `shown` is one of the secrets with these digests. All are compared: `any` would stop."""
    own = digest(shown)
    return sum(hmac.compare_digest(own, other) for other in accepted) > 0


def signature_matches(shown: bytes, signed: Iterable[bytes], secrets: Iterable[bytes]) -> bool:
    """Whether `shown` is the lower-case hex HMAC-SHA256 of `signed` (in pieces) under one of the secrets.

    From Grafana's http/hmac.go (github.com/grafana/alerting).
    """
    pieces = tuple(signed)
    return sum(hmac.compare_digest(_signature(secret, pieces), shown) for secret in secrets) > 0


def _signature(secret: bytes, pieces: tuple[bytes, ...]) -> bytes:
    made = hmac.new(secret, digestmod=sha256)
    for piece in pieces:
        made.update(piece)
    return made.hexdigest().encode()


def scheme_and_value(authorization: str) -> tuple[str, bytes]:
    """The scheme, in lower case, and the credential of an `Authorization` header, as the bytes that came."""
    scheme, _, value = authorization.strip(OWS).partition(" ")
    # WSGI hands header bytes over as Latin-1 text (PEP 3333).
    return scheme.lower(), value.strip(OWS).encode("latin-1", "replace")


def basic_pair(value: bytes) -> bytes:
    """`user:password` out of a Basic credential; empty where it is malformed, which matches nothing."""
    try:
        return b64decode(value, validate=True)
    except binascii.Error:
        return b""

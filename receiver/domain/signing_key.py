"""Keys that sign outgoing webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md."""

from __future__ import annotations

import base64
import binascii

PREFIX = "whsec_"


def parse_signing_key(text: str) -> bytes:
    """The key of `whsec_` and base64, as the scheme writes it; any other text is the key itself, as UTF-8.

    Raises ValueError, which does not quote the text.
    """
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError(
            "after whsec_ must stand 24 to 64 bytes in base64; `openssl rand -base64 32` makes 32"
        )
    return key

"""Hostile credentials. What is refused with 401 is not stored."""

from __future__ import annotations

import base64
import time

from tests.hostile.wire import (
    BASIC,
    BEARER,
    HMAC_SECRET,
    OLD_TOKEN,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOKEN,
    Case,
    request,
    signature,
    signed,
)

_BODY = b'{"alerts":[],"version":"4"}'
_REFUSED = (401,)


def _with(*headers: str) -> bytes:
    return request(_BODY, *headers, auth=False)


def _basic(pair: str) -> str:
    return "Authorization: Basic " + base64.b64encode(pair.encode()).decode()


def _signed_at(timestamp: str) -> bytes:
    return _with(
        f"{SIGNATURE_HEADER}: {signature(_BODY, int(time.time()))}", f"{TIMESTAMP_HEADER}: {timestamp}"
    )


def cases() -> tuple[Case, ...]:
    """Made anew for each run, since signatures hold the time."""
    now = int(time.time())
    right = signature(_BODY, now)
    stamp = f"{TIMESTAMP_HEADER}: {now}"
    return (
        Case("no credential", _with(), _REFUSED),
        Case("wrong token", _with("Authorization: Bearer wrong"), _REFUSED),
        Case("empty token", _with("Authorization: Bearer "), _REFUSED),
        Case("empty authorization", _with("Authorization:"), _REFUSED),
        Case("scheme alone", _with("Authorization: Bearer"), _REFUSED),
        Case("token without a scheme", _with(f"Authorization: {TOKEN}"), _REFUSED),
        Case("token under another scheme", _with(f"Authorization: Token {TOKEN}"), _REFUSED),
        Case("token in upper case", _with(f"Authorization: Bearer {TOKEN.upper()}"), _REFUSED),
        Case("token cut short", _with(f"Authorization: Bearer {TOKEN[:-1]}"), _REFUSED),
        Case("token with more behind it", _with(f"Authorization: Bearer {TOKEN}x"), _REFUSED),
        Case("old token after rotation", _with(f"Authorization: Bearer {OLD_TOKEN}"), _REFUSED),
        Case("token that is not ASCII", _with("Authorization: Bearer \xe9\xff"), _REFUSED),
        Case("token of 8000 characters", _with("Authorization: Bearer " + "a" * 8000), _REFUSED),
        Case("token in the query", request(_BODY, path=f"/webhook/alert?token={TOKEN}", auth=False), _REFUSED),
        Case("token in another header", _with(f"X-Token: {TOKEN}"), _REFUSED),
        Case("right token", _with(BEARER), (200,), _BODY),
        Case("scheme in lower case", _with(f"authorization: bearer {TOKEN}"), (200,), _BODY),
        Case("two authorizations, right and wrong", _with(BEARER, "Authorization: Bearer wrong"), (401,)),
        Case("two authorizations, wrong and right", _with("Authorization: Bearer wrong", BEARER), (401,)),
        Case("basic with a colon in the password", _with(_basic(BASIC)), (200,), _BODY),
        Case("basic with the password cut at the colon", _with(_basic(BASIC.rpartition(":")[0])), _REFUSED),
        Case("basic without a colon", _with(_basic("grafana")), _REFUSED),
        Case("basic that is not base64", _with("Authorization: Basic ***"), _REFUSED),
        Case("basic with NUL", _with(_basic(BASIC + "\0")), _REFUSED),
        Case("basic in plain text", _with(f"Authorization: Basic {BASIC}"), _REFUSED),
        Case("right signature", signed(_BODY), (200,), _BODY),
        Case("wrong signature", signed(_BODY, value="0" * 64), _REFUSED),
        Case("empty signature", signed(_BODY, value=""), _REFUSED),
        Case("signature in upper case", signed(_BODY, value=right.upper()), _REFUSED),
        Case("signature with a prefix", signed(_BODY, value="sha256=" + right), _REFUSED),
        Case("signature cut short", signed(_BODY, value=right[:-1]), _REFUSED),
        Case("signature that is not ASCII", signed(_BODY, value="\xe9" * 64), _REFUSED),
        Case("signature of another secret", signed(_BODY, value=signature(_BODY, now, "other")), _REFUSED),
        Case("secret itself as the signature", signed(_BODY, value=HMAC_SECRET), _REFUSED),
        Case("replayed after six minutes", signed(_BODY, age=360), _REFUSED),
        Case("signed in the future", signed(_BODY, age=-360), _REFUSED),
        Case("body serialised anew", signed(_BODY, sent=_BODY.replace(b",", b", ")), _REFUSED),
        Case("body with a line end added", signed(_BODY, sent=_BODY + b"\n"), _REFUSED),
        Case("signature without a time", _with(f"{SIGNATURE_HEADER}: {right}"), _REFUSED),
        Case("signature with an underscored header", _with(f"X_Grafana_Alerting_Signature: {right}", stamp), (401,)),
        Case("time that is no number", _signed_at("now"), _REFUSED),
        Case("negative time", _signed_at(f"-{now}"), _REFUSED),
        Case("time of 5000 digits", _signed_at("1" * 5000), _REFUSED),
        Case("time in other digits", _signed_at("\xb2\xb3"), _REFUSED),
        Case("time as a fraction", _signed_at(f"{now}.0"), _REFUSED),
        Case("right token with a wrong signature", _with(BEARER, f"{SIGNATURE_HEADER}: 00", stamp), _REFUSED),
    )  # fmt: skip

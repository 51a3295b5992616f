"""The outside of a webhook body: its format, and what holds for all its alerts. They themselves stay unread."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from receiver.errors import UnintelligibleBody
from receiver.sources.outline import Flaw, elements, flaw_of, kind_of, members, refusal_of

# 8 MiB hold some 30,000 alerts of the smallest real kind; a longer list is no alerts, and would cost minutes.
MOST_ALERTS = 50_000
# A large body that is mostly commas may be a list of millions of numbers, which would fill the memory in one go.
_LARGE = 2**20
_MOST_TRUNCATED = 2**31 - 1


class WireEnvelope(msgspec.Struct, rename="camel"):
    """The fields that are used, of all formats together; each format has some of them."""

    alerts: list[Raw] | UnsetType | None = UNSET
    version: str | int | None = None
    group_key: str | None = None
    group_labels: dict[str, str] | None = None
    external_url: str | None = msgspec.field(name="externalURL", default=None)
    truncated_alerts: int | None = None
    rule_id: Raw | UnsetType = UNSET
    state: Raw | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Envelope:
    """A webhook body, of which so far only the outside has been read. `body` has no byte order mark any more."""

    body: bytes
    wire: WireEnvelope

    def listed_alerts(self) -> list[Raw]:
        """The alerts, still unread. Raises UnintelligibleBody where there is no list of them."""
        alerts = self.wire.alerts
        if isinstance(alerts, list):
            if len(alerts) > MOST_ALERTS:
                raise UnintelligibleBody(_TOO_MANY)
            return alerts
        raise UnintelligibleBody(f"alerts is {'null' if alerts is None else 'missing'}, expected a list")

    def truncated(self) -> int:
        """How many alerts the sender says it cut off; 0 where it says nothing that makes sense."""
        return max(0, min(self.wire.truncated_alerts or 0, _MOST_TRUNCATED))


_ENVELOPE = msgspec.json.Decoder(WireEnvelope)
_FIELDS: dict[str, tuple[str, msgspec.json.Decoder[Any]]] = {
    field.encode_name: (field.name, msgspec.json.Decoder(field.type))
    for field in msgspec.structs.fields(WireEnvelope)
    if field.name != "alerts"
}
_TOO_MANY = f"alerts has more than {MOST_ALERTS} entries"
_PLACE = re.compile(r"JSON is malformed: (.+) \(byte (\d+)\)")


def read_envelope(body: bytes) -> Envelope:
    """Read the outside of `body`. Raises UnintelligibleBody, with the reason, where it is no JSON object."""
    body = body.removeprefix(BOM_UTF8)  # some templates and proxies put a byte order mark there
    if len(body) < _LARGE or body.count(b",") < len(body) // 4:
        try:
            return Envelope(body, _ENVELOPE.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # some piece is bad
    text = body.strip(b" \t\r\n")
    if not text.startswith(b"{"):
        raise UnintelligibleBody(_why_no_object(text))
    try:
        return Envelope(body, _read_piece_by_piece(text))
    except ValueError:
        raise UnintelligibleBody(_not_json(text)) from None
    except RecursionError:
        raise UnintelligibleBody("nested too deeply") from None


def _read_piece_by_piece(text: bytes) -> WireEnvelope:
    """The slower way, for a body of which some piece is bad: the good alerts must not go down with it.

    Raises ValueError where a piece is no JSON at all, RecursionError where the nesting has no end, UnintelligibleBody
    for what else is wrong.
    """
    found: dict[str, Any] = {}
    for name, piece in members(text):
        if name == "alerts":
            found[name] = _alert_slices(piece)
            continue
        flaw = flaw_of(piece)
        if flaw is Flaw.SYNTAX:
            raise ValueError(flaw.value)
        if flaw is Flaw.TOO_DEEP:
            raise UnintelligibleBody("a field outside the alerts is nested too deeply")
        if name in _FIELDS:
            attribute, decoder = _FIELDS[name]
            found[attribute] = _decoded(decoder, piece)
    return WireEnvelope(**found)


def _alert_slices(piece: bytes) -> list[Raw] | None:
    if piece == b"null":
        return None
    if not piece.startswith(b"["):
        raise UnintelligibleBody(f"alerts is {kind_of(piece)}, expected a list")
    slices = list(islice(elements(piece), MOST_ALERTS + 1))
    if len(slices) > MOST_ALERTS:
        raise UnintelligibleBody(_TOO_MANY)
    if any(flaw_of(one) is Flaw.SYNTAX for one in slices):
        raise ValueError(Flaw.SYNTAX.value)
    return [Raw(one) for one in slices]


def _decoded(decoder: msgspec.json.Decoder[Any], piece: bytes) -> Any:
    try:
        return decoder.decode(piece)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # of another type than agreed, or unreadable: as good as missing


def _why_no_object(text: bytes) -> str:
    if not text:
        return "the body is empty"
    if flaw_of(text) is Flaw.SYNTAX:
        return _not_json(text)
    return f"the top level is {kind_of(text)}, expected an object"


def _not_json(text: bytes) -> str:
    if b"\0" in text[:4]:
        return "not JSON in UTF-8: it looks like UTF-16 or UTF-32"
    # The parser's messages are fixed phrases with a position; nothing of the body is in them.
    place = _PLACE.fullmatch(refusal_of(text))
    return f"not JSON: {place[1]} at byte {place[2]}" if place else "not JSON: it ends too early"

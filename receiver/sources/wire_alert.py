"""One alert of a Grafana or Alertmanager body, as it is on the wire."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from receiver.sources.outline import flaw_of, kind_of, members
from receiver.sources.scalars import text_of


class WireAlert(msgspec.Struct, gc=False):
    """The fields that are used; others are skipped unread, so what stands in them does not matter."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: str | None = msgspec.field(name="startsAt", default=None)
    ends_at: str | None = msgspec.field(name="endsAt", default=None)
    fingerprint: str | None = None
    generator_url: str | None = msgspec.field(name="generatorURL", default=None)
    silence_url: str | None = msgspec.field(name="silenceURL", default=None)
    dashboard_url: str | None = msgspec.field(name="dashboardURL", default=None)
    panel_url: str | None = msgspec.field(name="panelURL", default=None)
    rule_uid: str | None = msgspec.field(name="ruleUID", default=None)


_ALERT = msgspec.json.Decoder(WireAlert)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_OPTIONAL_TEXTS = {
    field.encode_name: field.name
    for field in msgspec.structs.fields(WireAlert)
    if field.name not in ("status", "labels", "annotations")
}
# Only names that are known here may stand in a reason: others are the sender's text.
_KNOWN_NAMES = {field.encode_name for field in msgspec.structs.fields(WireAlert)} | {"values", "valueString"}


def read_alert(piece: bytes) -> WireAlert | str:
    """The alert in the JSON text `piece`, which is valid UTF-8; or the reason why it cannot be understood."""
    try:
        alert = _ALERT.decode(piece)
    except (msgspec.DecodeError, RecursionError):
        if not piece.startswith(b"{"):
            return f"the alert is {kind_of(piece)}, expected an object"
        return _read_field_by_field(piece)
    return alert if alert.labels else "labels is empty, expected at least one label"


def _read_field_by_field(piece: bytes) -> WireAlert | str:
    """Some field is not of the agreed type: take what can be taken as text, and name what cannot."""
    try:
        fields = {name: bytes(value) for name, value in _MEMBERS.decode(piece).items()}
        status = text_of(fields.get("status", b"null"))
        labels = _texts(fields.get("labels", b"null"))
        optional = {
            attribute: text_of(fields[name]) for name, attribute in _OPTIONAL_TEXTS.items() if name in fields
        }
        annotations = _annotations(fields.get("annotations", b"null"))
    except (msgspec.DecodeError, RecursionError):
        return _what_is_unreadable(piece)
    if not status:
        return "status is missing, expected firing or resolved"
    if isinstance(labels, str):
        return labels
    return WireAlert(status=status, labels=labels, annotations=annotations, **optional)


def _texts(piece: bytes) -> dict[str, str] | str:
    if not piece.startswith(b"{"):
        return f"labels is {'missing' if piece == b'null' else kind_of(piece)}, expected an object"
    labels: dict[str, str] = {}
    for name, value in _MEMBERS.decode(piece).items():
        text = text_of(bytes(value))
        if text is None:
            return f"labels has a value that is {kind_of(bytes(value))}, expected text"
        labels[name] = text
    return labels or "labels is empty, expected at least one label"


def _annotations(piece: bytes) -> dict[str, str]:
    # Nothing hangs on annotations: whatever they are, no firing alert is refused because of them.
    if not piece.startswith(b"{"):
        return {}
    values: dict[str, Any] = {name: bytes(value) for name, value in _MEMBERS.decode(piece).items()}
    texts = {name: text_of(value) for name, value in values.items()}
    return {name: values[name].decode() if text is None else text for name, text in texts.items()}


def _what_is_unreadable(piece: bytes) -> str:
    for name, value in members(piece):
        flaw = flaw_of(value)
        if flaw is not None:
            return f"{name if name in _KNOWN_NAMES else 'a field'} {flaw.value}"
    return "a field, or its name, cannot be read"

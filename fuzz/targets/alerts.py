"""Webhook bodies: whatever they are, they become alerts that storage can keep, or a reason why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from fuzz.pieces import pieces, texts
from receiver.domain.alert import Alert, RejectedAlert
from receiver.domain.key import KEY_LENGTH, incident_key, key_text
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.links import is_link, links_of
from receiver.sources.registry import parse_body
from receiver.sources.times import parse_time

_RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_MAPPING = FieldMapping()
_LABELS = b'{"alertname":"A","severity":"page","service":"s"}'
_PLACES = (b"@0", b"@1", b"@2", b"@3", b"@4", b"@5", b"@6", b"@7")
_FRAMES = {
    "grafana": b'{"version":"1","status":"firing","orgId":1,"externalURL":@0,"groupKey":@1,"groupLabels":@2,'
    b'"alerts":[{"status":"firing","labels":@3,"annotations":@4,"startsAt":@5,"generatorURL":@6,"silenceURL":@7,'
    b'"values":@7,"fingerprint":"f0"},{"status":"firing","labels":' + _LABELS + b"}]}",
    "alertmanager": b'{"version":"4","truncatedAlerts":@0,"groupLabels":@1,"externalURL":@2,"alerts":[{"status":@3,'
    b'"labels":@4,"annotations":@5,"startsAt":@6,"endsAt":@6,"fingerprint":@7},{"status":"firing","labels":'
    + _LABELS
    + b"}]}",
    "legacy": b'{"ruleId":@0,"state":@1,"ruleName":@2,"tags":@3,"orgId":@4,"message":@5,"ruleUrl":@6,"evalMatches":@7}',
}


def body(data: bytes) -> None:
    """Any bytes."""
    _parse(data)


def grafana(data: bytes) -> None:
    """A body of Grafana's with arbitrary values; what is no JSON takes the whole body with it, unless as a text."""
    _parse_with_a_good_neighbour(_framed("grafana", data))


def alertmanager(data: bytes) -> None:
    """The same of Alertmanager."""
    _parse_with_a_good_neighbour(_framed("alertmanager", data))


def legacy(data: bytes) -> None:
    """The same of legacy Grafana, which has one alert."""
    _parse(_framed("legacy", data))


def key(data: bytes) -> None:
    """Two different tuples never have the same text, and thus not the same key."""
    parts = texts(data, 10)
    one, other = parts[:5], parts[5:]
    assert (key_text(*one) == key_text(*other)) == (one == other)
    assert len(incident_key(*one)) == KEY_LENGTH


def time(data: bytes) -> None:
    """A text is a time in UTC since 2000, or none."""
    found = parse_time(data.decode("utf-8", "replace"))
    assert found is None or (found.tzinfo is UTC and found.year >= 2000)


def _framed(name: str, data: bytes) -> bytes:
    frame = _FRAMES[name]
    for place, piece in zip(_PLACES, pieces(data, len(_PLACES)), strict=True):
        frame = frame.replace(place, _value(piece))
    return frame


def _value(piece: bytes) -> bytes:
    """The piece itself where it looks like JSON, so that the frame mostly holds; else as a text."""
    if piece[:1] in b'{["0123456789-tfn':
        return piece or b"null"
    return json.dumps(piece.decode("utf-8", "surrogateescape")).encode()


def _parse_with_a_good_neighbour(frame: bytes) -> None:
    found = _parse(frame)
    if found is not None and _is_strict_json(frame):
        assert isinstance(found[-1], Alert), "a bad alert took its good neighbour with it"


def _is_strict_json(text: bytes) -> bool:
    """Whether this is one JSON object of which `alerts` is the frame's own."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and len(found.get("alerts") or ()) == 2


def _parse(data: bytes) -> list[Alert | RejectedAlert] | None:
    try:
        found = parse_body(data, _MAPPING, _RECEIVED_AT)
    except UnintelligibleBody as error:
        assert error.reason
        return None
    assert found.truncated >= 0
    for alert in found.alerts:
        alert.raw.encode()
        if isinstance(alert, RejectedAlert):
            assert alert.reason
        else:
            _check(alert)
    return found.alerts


def _check(alert: Alert) -> None:
    """What storage and channels rely on."""
    assert len(alert.incident_key) == KEY_LENGTH
    assert 0 < len(alert.fingerprint) <= 64
    assert 0 < len(alert.title) <= 255
    assert len(alert.summary) <= 2000
    for moment in (alert.starts_at, alert.ends_at):
        assert moment is None or (moment.tzinfo is UTC and moment.year >= 2000)
    for text in (*alert.labels, *alert.labels.values(), *alert.annotations, *alert.annotations.values()):
        text.encode()
    alert.rule_uid.encode()
    assert all(is_link(address) for address in links_of(alert).values())

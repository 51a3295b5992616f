"""Which inbound formats there are, and which one a body is of: told from the body alone."""

from __future__ import annotations

from datetime import datetime

from receiver.domain.alert import ParsedBody
from receiver.errors import UnintelligibleBody
from receiver.sources.alertmanager import Alertmanager
from receiver.sources.base import FieldMapping, Source
from receiver.sources.envelope import Envelope, read_envelope
from receiver.sources.grafana import Grafana
from receiver.sources.grafana_legacy import GrafanaLegacy

SOURCES: tuple[Source, ...] = (Alertmanager(), Grafana(), GrafanaLegacy())


def parse_body(body: bytes, mapping: FieldMapping, received_at: datetime) -> ParsedBody:
    """The alerts in a webhook body, in its order. `received_at` is aware and bounds what start times can be true.

    Raises UnintelligibleBody, and nothing else, for a body that no source understands; its reason says in plain
    words what is wrong and where, and holds nothing of the body.
    """
    envelope = read_envelope(body)
    for source in SOURCES:
        if source.recognises(envelope):
            return source.parse(envelope, mapping, received_at)
    raise UnintelligibleBody(_unknown_format(envelope))


def _unknown_format(envelope: Envelope) -> str:
    missing = envelope.wire.version in ("", None)
    found = "version is missing" if missing else "version is one that is not known"
    return f'{found}: Alertmanager sends "4", Grafana "1", legacy Grafana alerting ruleId and state instead'

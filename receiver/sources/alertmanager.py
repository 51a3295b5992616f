"""Alertmanager's webhook body, version "4"; Mimir, Cortex and Grafana Cloud's Alertmanager send it too.

See https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
"""

from __future__ import annotations

from datetime import datetime

from receiver.domain.alert import ParsedBody
from receiver.sources.base import FieldMapping
from receiver.sources.envelope import Envelope
from receiver.sources.unified import UnifiedReader
from receiver.sources.wire_alert import WireAlert


class Alertmanager:
    """Bodies with version "4"."""

    name = "alertmanager"

    def recognises(self, envelope: Envelope) -> bool:
        """Whether the body says that it is of version 4."""
        return envelope.wire.version in ("4", 4)

    def parse(self, envelope: Envelope, mapping: FieldMapping, received_at: datetime) -> ParsedBody:
        """See base.Source."""
        reader = UnifiedReader(envelope, mapping, received_at, stand_in_prefix="am:", is_test=_never_a_test)
        return reader.read(self.name)


def _never_a_test(_alert: WireAlert) -> bool:
    return False  # Alertmanager has no Test button

"""Grafana's unified alerting, 8 to 13: webhook body version "1".

See receivers/webhook/v1 of github.com/grafana/alerting.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial

from receiver.domain.alert import ParsedBody
from receiver.sources.base import FieldMapping
from receiver.sources.envelope import Envelope
from receiver.sources.unified import UnifiedReader
from receiver.sources.wire_alert import WireAlert

# The labels that Grafana gives its test alert, and their fingerprint.
_TEST_LABELS = {"alertname": "TestAlert", "instance": "Grafana"}
_TEST_FINGERPRINT = "57c6d9296de2ad39"

# Real group keys end with a brace; those that Grafana makes up for a test end with a time.
# Since 10.1: <contact point>-<fingerprint>-<unix seconds>. Before: {<labels>}<time>.
_LONGEST_GROUP_KEY = 10_000
_ANY = "any"
_ends_with_unix_time = re.compile(r"-([0-9a-f]{16})-\d{9,11}$").search
_is_old_test_key = re.compile(r"\{.*\}\d{4}-\d\d-\d\d[^}]*", re.DOTALL).fullmatch


class Grafana:
    """Bodies with version "1"."""

    name = "grafana"

    def recognises(self, envelope: Envelope) -> bool:
        """Whether the body says that it is of version 1."""
        return envelope.wire.version in ("1", 1)

    def parse(self, envelope: Envelope, mapping: FieldMapping, received_at: datetime) -> ParsedBody:
        """See base.Source."""
        # Each alert brings its silence link; externalURL is Grafana's address, not that of an Alertmanager.
        envelope.wire.external_url = None
        is_test = partial(is_test_alert, tested_fingerprint(envelope.wire.group_key))
        reader = UnifiedReader(envelope, mapping, received_at, stand_in_prefix="grafana:", is_test=is_test)
        return reader.read(self.name)


def is_test_alert(tested: str | None, alert: WireAlert) -> bool:
    """Whether Grafana's Test button made this alert; `tested` is what the body's group key says of it.

    A rule always leaves its address; a test alert has none (newTestAlert in notify/receivers.go of
    github.com/grafana/alerting).
    """
    if alert.generator_url or alert.rule_uid:
        return False
    if alert.fingerprint == _TEST_FINGERPRINT or _TEST_LABELS.items() <= alert.labels.items():
        return True
    return tested is not None and tested in (_ANY, alert.fingerprint)


def tested_fingerprint(group_key: str | None) -> str | None:
    """The fingerprint of the alert under test; "any" where the key of a test does not say; None for a rule's key.

    The user may give a test alert labels of his own, so that only the group key tells (notify/test_receivers.go).
    """
    if not group_key or group_key.endswith("}") or len(group_key) > _LONGEST_GROUP_KEY:
        return None
    made_up = _ends_with_unix_time(group_key)
    if made_up:
        return made_up[1]
    return _ANY if _is_old_test_key(group_key) else None

"""The Protocol that every inbound format follows, and the table from labels to an alert's fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from receiver.domain.alert import ParsedBody
from receiver.domain.severity import DEFAULT_PRIORITIES, Severity
from receiver.sources.envelope import Envelope


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Which labels feed which field: names are tried in order, the first one with a value wins."""

    cluster: tuple[str, ...] = ("cluster",)
    namespace: tuple[str, ...] = ("namespace",)
    service: tuple[str, ...] = ("service", "app", "job")
    phase: tuple[str, ...] = ("phase",)
    severity: tuple[str, ...] = ("severity", "priority")
    default_severity: Severity = Severity.WARNING
    priorities: Mapping[str, str] = field(default_factory=lambda: DEFAULT_PRIORITIES)


class Source(Protocol):
    """One inbound format. `name` is the source of its alerts in storage, events and metrics."""

    @property
    def name(self) -> str:
        """The format's name, for example `alertmanager`."""

    def recognises(self, envelope: Envelope) -> bool:
        """Whether the body is of this format, told by its own marks alone."""

    def parse(self, envelope: Envelope, mapping: FieldMapping, received_at: datetime) -> ParsedBody:
        """The body's alerts, each by itself: one that cannot be understood comes out as a RejectedAlert.

        `received_at` is aware. Raises UnintelligibleBody where the body as a whole cannot be understood.
        """

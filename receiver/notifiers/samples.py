"""One made-up incident on each of its occasions: what templates are tried on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from receiver.domain.notification import BundledIncident, Notification, Template

_OPENED_AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_OPENED = Notification(
    template=Template.OPENED,
    incident_id="INC-20261121030000-0123456789abcdef",
    number=12,
    title="CPU over 90 %",
    summary="svc-a has used more than 90 % of its CPU for 5 minutes.",
    status="active",
    severity="critical",
    priority="P0",
    service="svc-a",
    cluster="prod-eu",
    namespace="shop",
    alert_count=3,
    firing_count=3,
    opened_at=_OPENED_AT,
    last_seen_at=_OPENED_AT + timedelta(minutes=12),
    links={"runbook": "https://wiki.example.org/cpu"},
    incident_url="https://receiver.example.org/api/v1/incidents/INC-20261121030000-0123456789abcdef",
)
_ACTION = replace(_OPENED, action_id="ACT-0123456789abcdef01234567")
_OTHER = BundledIncident(
    "INC-20261121030001-fedcba9876543210", 13, "Disk 95 % full", "warning", "P2", "svc-b"
)
_DETAIL = "kubernetes.scale of kubernetes:shop/deployment/svc-a"

SAMPLES: tuple[Notification, ...] = (
    _OPENED,
    replace(_OPENED, template=Template.UPDATED, changes=("2 more alerts (5 in all)",), sequence=1),
    replace(
        _OPENED,
        template=Template.ACKNOWLEDGED,
        status="acknowledged",
        acknowledged_at=_OPENED_AT + timedelta(minutes=5),
        acknowledged_by="ann",
    ),
    replace(
        _OPENED,
        template=Template.RESOLVED,
        status="resolved",
        firing_count=0,
        resolved_at=_OPENED_AT + timedelta(minutes=30),
        resolved_by="alert",
    ),
    replace(_OPENED, template=Template.TEST),
    replace(_OPENED, template=Template.ESCALATED, details=("not acknowledged for 15 min: step 2 of 3",)),
    replace(_ACTION, template=Template.ACTION_FAILED, details=(_DETAIL, "error: connection refused")),
    replace(_ACTION, template=Template.ACTION_COMPLETED, details=(f"{_DETAIL}: 2 -> 3 replicas",)),
    replace(_ACTION, template=Template.APPROVAL_NEEDED, details=(_DETAIL, "would go from 2 to 3 replicas")),
    replace(_OPENED, template=Template.DIAGNOSED, diagnostics=("pods: 1 of 3 ready", "availability: 0.97")),
    replace(_OPENED, template=Template.REMINDER, details=("mitigation failed 30 min ago",)),
    replace(
        _OPENED,
        template=Template.BUNDLE,
        incident_id="bundle-slack-20261121T0300",
        number=0,
        title="2 incidents opened",
        incidents=(
            BundledIncident(
                _OPENED.incident_id,
                12,
                _OPENED.title,
                "critical",
                "P0",
                "svc-a",
                _OPENED_AT,
                _OPENED.incident_url,
            ),
            _OTHER,
        ),
    ),
)

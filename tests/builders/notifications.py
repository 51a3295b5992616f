"""Notifications for the tests of channels: one incident on each of its occasions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from receiver.domain.notification import BundledIncident, Notification, Template

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
FIRING = Notification(
    template=Template.OPENED,
    incident_id="INC-20261121030000-0123456789abcdef",
    number=4711,
    title="Größe of 日本 is over 9000 🔥",
    summary="It is.",
    status="active",
    severity="critical",
    priority="P0",
    service="checkout",
    cluster="prod-eu",
    namespace="shop",
    alert_count=3,
    firing_count=3,
    opened_at=NOW,
    last_seen_at=NOW + timedelta(minutes=12),
    links={"runbook": "https://wiki.example/x"},
    incident_url="https://receiver.example/incidents/4711",
)
ACTING = replace(FIRING, action_id="ACT-0123456789abcdef01234567")
BY_TEMPLATE = {
    Template.OPENED: FIRING,
    Template.UPDATED: replace(FIRING, template=Template.UPDATED, changes=("2 more alerts",), sequence=3),
    Template.ACKNOWLEDGED: replace(
        FIRING,
        template=Template.ACKNOWLEDGED,
        status="acknowledged",
        acknowledged_at=NOW + timedelta(minutes=5),
        acknowledged_by="ann",
    ),
    Template.RESOLVED: replace(
        FIRING,
        template=Template.RESOLVED,
        status="resolved",
        firing_count=0,
        resolved_at=NOW + timedelta(minutes=30),
        resolved_by="alert",
    ),
    Template.TEST: replace(FIRING, template=Template.TEST),
    Template.ESCALATED: replace(
        FIRING, template=Template.ESCALATED, details=("nobody acknowledged it for 15 min",), sequence=1
    ),
    Template.ACTION_FAILED: replace(
        ACTING, template=Template.ACTION_FAILED, details=("kubernetes.scale of svc-a: connection refused",)
    ),
    Template.ACTION_COMPLETED: replace(
        ACTING, template=Template.ACTION_COMPLETED, details=("kubernetes.scale of svc-a: 2 to 3 replicas",)
    ),
    Template.APPROVAL_NEEDED: replace(
        ACTING, template=Template.APPROVAL_NEEDED, details=("kubernetes.rollback of svc-a to revision 4",)
    ),
    Template.DIAGNOSED: replace(
        FIRING, template=Template.DIAGNOSED, diagnostics=("pods: 1 of 3 ready", "availability: 0.97")
    ),
    Template.REMINDER: replace(
        FIRING, template=Template.REMINDER, details=("failed for 30 min",), sequence=2
    ),
    Template.BUNDLE: replace(
        FIRING,
        template=Template.BUNDLE,
        incident_id="BUN-slack-20261121T0300",
        number=0,
        title="2 incidents opened",
        incidents=(
            BundledIncident(
                FIRING.incident_id, 4711, FIRING.title, "critical", "P0", "checkout", NOW, FIRING.incident_url
            ),
            BundledIncident("INC-20261121030001-fedcba9876543210", 4712, "Disk full", "warning", "P2"),
        ),
    ),
}
EVIL = "\r\nBcc: mallory@evil.example\r\n\r\n<script>alert(1)</script>\x00\u202e\ud800 & <!channel>"
HOSTILE = replace(
    FIRING,
    title=EVIL,
    summary=EVIL,
    service=EVIL,
    cluster=EVIL,
    namespace=EVIL,
    acknowledged_by=EVIL,
    changes=(EVIL,) * 100,
    details=(EVIL,) * 100,
    diagnostics=(EVIL,) * 100,
    action_id=EVIL,
    incidents=(BundledIncident("INC-1", 1, EVIL, EVIL, EVIL, EVIL, NOW, "javascript:alert(1)"),) * 100,
    links={
        "runbook": "javascript:alert(1)",
        "source": "https://ok.example/\r\nX: y",
        "panel": "https://u:p@h.example/",
    },
    incident_url="https://receiver.example/x",
)
HUGE = replace(
    FIRING,
    title="日" * 100_000,
    summary="🔥\n" * 100_000,
    service="s" * 100_000,
    cluster="c" * 100_000,
    namespace="n" * 100_000,
    changes=("x" * 100_000,) * 50,
    details=("日" * 3_000,) * 50,
    diagnostics=("🔥" * 3_000,) * 50,
    action_id="A" * 3_000,
    incidents=(
        BundledIncident("INC-" + "1" * 1000, 10**30, "日" * 3_000, "s" * 1000, "p" * 1000, "x" * 3_000),
    )
    * 300,
    links={"runbook": "https://wiki.example/" + "x" * 100_000},
)

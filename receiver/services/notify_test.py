"""`receiver notify-test`: one message through each configured channel, at once and without the job table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from receiver.domain.notification import Notification, Receipt, Template
from receiver.errors import DeliveryFailed
from receiver.notifiers.base import Notifier


def send_tests(
    notifiers: Mapping[str, Notifier], now: datetime
) -> Iterator[tuple[str, Receipt | DeliveryFailed]]:
    """Send Template.TEST through each channel; its name, and what came of it."""
    message = test_notification(now)
    for name, notifier in notifiers.items():
        try:
            yield name, notifier.send(message)
        except DeliveryFailed as failure:
            yield name, failure


def test_notification(now: datetime) -> Notification:
    """A message about no real incident, which says that it is a test."""
    return Notification(
        template=Template.TEST,
        incident_id="INC-0",
        number=0,
        title="Test of the alert receiver",
        summary="Sent by `receiver notify-test`. Incidents will look like this; there is nothing to do.",
        status="active",
        severity="info",
        priority="P4",
        service="alert-receiver",
        cluster="",
        namespace="",
        alert_count=1,
        firing_count=1,
        opened_at=now,
        last_seen_at=now,
    )

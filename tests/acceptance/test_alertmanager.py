"""The real Alertmanager, set up with the snippet of the README, drives `receiver up` over MariaDB and tells Slack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from receiver.storage.migrate import bundled
from tests.fakes import slack_rules
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.polling import wait_until
from tests.fakes.receiver import Receiver
from tests.fakes.slack import SlackServer, hang

TOKEN = "the-token"  # as in the README

# Groups of one alert name, and times as short as Alertmanager takes them.
ROUTE = """
route:
  receiver: alert-receiver
  group_by: [alertname]
  group_wait: 200ms
  group_interval: 1s
  repeat_interval: 1s
"""


def configuration(url: str) -> str:
    """ROUTE and the receiver that the README shows, with the port of this test."""
    readme = (bundled("sql").parent / "README.md").read_text()
    snippet = re.search(r"```yaml\n(receivers:.*?)```", readme, flags=re.DOTALL)
    assert snippet and "http://127.0.0.1:8080" in snippet[1] and TOKEN in snippet[1]
    return ROUTE + snippet[1].replace("http://127.0.0.1:8080", url)


@pytest.fixture
def receiver(tmp_path: Path, mysql_database_url: str, slack: SlackServer) -> Iterator[Receiver]:
    with Receiver(
        tmp_path / "receiver", mysql_database_url, WEBHOOK_TOKEN=TOKEN, SLACK_WEBHOOK_URL=slack.url
    ) as running:
        yield running


@pytest.fixture
def alertmanager(receiver: Receiver, start_alertmanager: Callable[[str], Alertmanager]) -> Alertmanager:
    return start_alertmanager(configuration(receiver.url))


def prometheus_alert(name: str, instance: str, *, ended: bool = False) -> dict[str, Any]:
    """As Prometheus sends it: firing until a while from now, or ended."""
    now = datetime.now(UTC)
    start = datetime(now.year, now.month, now.day, tzinfo=UTC)
    return {
        "labels": {"alertname": name, "instance": instance, "service": "svc-a", "severity": "critical"},
        "annotations": {"summary": f"{name} on {instance} <!channel>"},
        "startsAt": start.isoformat(),
        "endsAt": (now if ended else now + timedelta(minutes=5)).isoformat(),
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
    }


def test_from_firing_over_repeats_to_resolved_with_one_message_each(
    receiver: Receiver, alertmanager: Alertmanager, slack: SlackServer
) -> None:
    alertmanager.post_alerts([prometheus_alert("CpuHigh", "a")])
    opened = receiver.wait_for_incident(status="active", title="CpuHigh")
    assert (opened["priority"], opened["service"], opened["firing_count"]) == ("P0", "svc-a", 1)
    assert len(slack.wait_for(1)) == 1

    # Repeats: the same alert over and over, the same incident.
    wait_until(lambda: receiver.incidents()[0]["alert_count"] >= 3, 20)

    # Mixed: one joins, the first resolves, and the incident stays.
    alertmanager.post_alerts([prometheus_alert("CpuHigh", "b")])
    receiver.wait_for_incident(firing_count=2)
    alertmanager.post_alerts([prometheus_alert("CpuHigh", "a", ended=True)])
    assert receiver.wait_for_incident(firing_count=1)["status"] == "active"

    alertmanager.post_alerts([prometheus_alert("CpuHigh", "b", ended=True)])
    resolved = receiver.wait_for_incident(status="resolved")
    assert resolved["incident_id"] == opened["incident_id"]
    assert resolved["resolved_by"] == "alert"
    assert len(receiver.incidents()) == 1

    first, last = slack.wait_for(2)
    assert opened["incident_id"] in str(first.json) and resolved["incident_id"] in str(last.json)
    for message in (first, last):
        assert slack_rules.problems(message.json) == []
        assert "<!channel>" not in str(message.json)  # escaped, so that it wakes nobody
        assert "&lt;!channel&gt;" in str(message.json) or "resolved" in str(message.json).lower()

    types = receiver.timeline(opened["incident_id"])
    for once in ("incident.opened", "incident.resolved"):
        assert types.count(once) == 1
    wait_until(lambda: delivered(receiver, opened["incident_id"]) == 2)
    assert len(slack.messages()) == 2


def delivered(receiver: Receiver, incident_id: str) -> int:
    return receiver.timeline(incident_id).count("notification.delivered")


def test_five_hundred_alerts_in_one_group_are_one_incident_and_one_message(
    receiver: Receiver, alertmanager: Alertmanager, slack: SlackServer
) -> None:
    alertmanager.post_alerts([prometheus_alert("NodeDown", f"node-{n}") for n in range(500)])
    incident = receiver.wait_for_incident(firing_count=500)
    assert incident["alert_count"] >= 500
    wait_until(lambda: delivered(receiver, incident["incident_id"]) == 1)
    assert len(receiver.incidents()) == 1
    assert len(slack.messages()) == 1


def test_a_webhook_is_answered_and_the_incident_opened_while_slack_hangs(
    receiver: Receiver, alertmanager: Alertmanager, slack: SlackServer
) -> None:
    slack.answer_always(hang(60))
    alertmanager.post_alerts([prometheus_alert("DiskFull", "a")])
    receiver.wait_for_incident(title="DiskFull", status="active")
    slack.wait_for(1)
    alertmanager.post_alerts([prometheus_alert("DiskFull", "a", ended=True)])
    resolved = receiver.wait_for_incident(title="DiskFull", status="resolved")
    assert resolved["last_notified_at"] is None  # Slack has taken nothing yet, and nothing else waited for it

"""From the alert to the mended service: the real Prometheus and Alertmanager, `receiver up`, stand-ins for the rest.

A rule of Prometheus fires, an incident opens, an action scales the service, the incident resolves, Slack hears of it.
Where that fails, the rules ask for another way; and where all fails, people are reminded until somebody acts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from receiver.storage.engine import create_engine
from receiver.storage.tables import jobs
from tests.builders import bodies
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import KubernetesServer
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.prometheus import MetricsServer, Prometheus
from tests.fakes.receiver import Receiver
from tests.fakes.slack import Answer, SlackServer

CPU_HIGH = """
groups:
  - name: shop
    rules:
      - alert: cpu_high
        expr: cpu_usage_percent > 90
        labels: {severity: critical}
        annotations: {summary: "CPU of {{ $labels.service }} is at {{ $value }} %"}
"""
ROUTE = """
route: {{receiver: alert-receiver, group_by: [service], group_wait: 100ms, group_interval: 1s, repeat_interval: 1s}}
receivers:
  - name: alert-receiver
    webhook_configs: [{{url: "{url}/api/v1/webhooks/alertmanager", send_resolved: true}}]
"""
SCALE = """
version: 1
rules:
  - name: cpu-scale
    on: incident.opened
    match: alertname="cpu_high"
    run:
      action: kubernetes.scale
      target: {namespace: "{{ namespace }}", deployment: "{{ service }}"}
      parameters: {by: 1, max: 5}
      resolves: true
    continue: true
"""
TELL = """
  - name: tell
    on: [incident.opened, incident.resolved, action.failed]
    notify: {channels: [slack]}
"""
# Traffic is led elsewhere, by whatever does that; its address is filled in.
SHED_LOAD = """
  - name: shed-load
    on: action.failed
    match: rule="cpu-scale"
    run:
      action: http.call
      target: {url: "URL"}
      parameters: {method: POST}
      resolves: true
    continue: true
"""
# Their order in the reference scenario. Other events may stand between them.
REFERENCE = (
    "incident.opened",
    "action.requested",
    "action.completed",
    "incident.resolved",
    "notification.requested",
    "notification.delivered",
)


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    with KubernetesServer() as running:
        running.put("shop", deployment("svc-a", replicas=1))
        yield running


def rules_file(folder: Path, *parts: str) -> str:
    file = folder / "rules.yml"
    file.write_text("".join(parts))
    return str(file)


def cpu_high() -> bytes:
    return bodies.alertmanager([bodies.alert("cpu_high", service="svc-a", namespace="shop")])


def timeline(receiver: Receiver, incident_id: str) -> list[dict[str, Any]]:
    answer = requests.get(
        f"{receiver.url}/api/v1/incidents/{incident_id}/timeline", params={"limit": "500"}, timeout=10
    )
    return list(answer.json()["events"])


def incident(receiver: Receiver, incident_id: str) -> dict[str, Any]:
    return dict(requests.get(f"{receiver.url}/api/v1/incidents/{incident_id}", timeout=10).json())


def in_order(wanted: tuple[str, ...], types: list[str]) -> bool:
    """Whether `wanted` is among `types` in this order."""
    rest = iter(types)
    return all(one in rest for one in wanted)


def test_the_reference_scenario(
    tmp_path: Path,
    mysql_database_url: str,
    slack: SlackServer,
    cluster: KubernetesServer,
    start_alertmanager: Callable[[str], Alertmanager],
) -> None:
    metrics = MetricsServer(
        # What the action changes is what the rule measures.
        lambda scrape: (
            'cpu_usage_percent{service="svc-a",namespace="shop"} '
            f"{95 if cluster.replicas('shop', 'svc-a') < 2 else 47}\n"
        )
    )
    # An incident that is over before its first message is sent is told of once only.
    cluster.before_change = lambda: slack.wait_for(1, timeout=5)
    with Receiver(
        tmp_path / "receiver",
        mysql_database_url,
        SLACK_WEBHOOK_URL=slack.url,
        RULES=rules_file(tmp_path, SCALE, TELL),
        **cluster.settings,
    ) as receiver:
        alertmanager = start_alertmanager(ROUTE.format(url=receiver.url))
        prometheus = Prometheus(
            metrics, tmp_path / "prometheus", rules=CPU_HIGH, alertmanager=alertmanager.url
        )
        try:
            resolved = receiver.wait_for_incident(status="resolved", mitigation="succeeded", timeout=60)
            wait_until(lambda: len(slack.messages()) == 2, 20, "two messages")
            wait_until(
                lambda: timeline(receiver, resolved["incident_id"])[-1]["type"] == "notification.delivered"
            )
        finally:
            prometheus.stop()
            metrics.stop()
        found = incident(receiver, resolved["incident_id"])
        events = timeline(receiver, resolved["incident_id"])
        assert len(receiver.incidents()) == 1, "a repeat opened a second incident"

    assert cluster.replicas("shop", "svc-a") == 2
    assert [(one.method, one.status) for one in cluster.changes()] == [("PATCH", 200)] or len(
        cluster.changes()
    ) == 1
    types = [event["type"] for event in events]
    assert in_order(REFERENCE, types), types
    for once in ("incident.opened", "action.requested", "action.completed", "incident.resolved"):
        assert types.count(once) == 1, types
    assert types.count("notification.requested") == types.count("notification.delivered") == 2
    assert all(event["trace_id"] for event in events)
    assert found["resolved_by"] == "rule cpu-scale"
    assert found["last_notified_at"] is not None
    (action,) = found["remediation_actions"]
    assert (action["type"], action["state"], action["attempt"]) == ("kubernetes.scale", "completed", 1)
    assert found["incident_id"] in str(slack.messages()[0].json)


def test_where_scaling_fails_another_way_is_tried_and_resolves(
    tmp_path: Path, mysql_database_url: str, slack: SlackServer
) -> None:
    with (
        SlackServer() as balancer,
        Receiver(
            tmp_path / "receiver",
            mysql_database_url,
            SLACK_WEBHOOK_URL=slack.url,
            RULES=rules_file(tmp_path, SCALE, SHED_LOAD.replace("URL", balancer.base_url + "/shed"), TELL),
            KUBERNETES_URL=f"http://127.0.0.1:{free_port()}",  # nobody listens there
            KUBERNETES_TOKEN="token",
            REMEDIATION_ALLOW="kubernetes.scale,http.call",
            REMEDIATION_HTTP_ALLOW="127.0.0.0/8",
        ) as receiver,
    ):
        receiver.post(cpu_high())
        # The action is tried again and again, with growing pauses, for about half a minute.
        resolved = receiver.wait_for_incident(status="resolved", mitigation="succeeded", timeout=110)
        wait_until(lambda: len(slack.messages()) == 3, 20, "three messages")
        found = incident(receiver, resolved["incident_id"])
        types = [event["type"] for event in timeline(receiver, resolved["incident_id"])]

    assert in_order(("action.requested", "action.failed", "action.requested", "action.completed"), types), (
        types
    )
    scale, shed = found["remediation_actions"]
    assert (scale["state"], shed["state"]) == ("failed", "completed")
    assert "gave up after 6 attempts" in scale["error"]
    assert shed["attempt"] == 1
    assert [message.path for message in balancer.messages()] == ["/shed"]
    assert found["resolved_by"] == "rule shed-load"


def test_where_all_fails_people_are_reminded_until_somebody_acts(
    tmp_path: Path, mysql_database_url: str, slack: SlackServer, cluster: KubernetesServer
) -> None:
    cluster.allow_only([])  # whatever is asked: 403, which no other attempt would change
    with SlackServer() as balancer:
        balancer.answer_always(Answer(404, "no such way"))
        with Receiver(
            tmp_path / "receiver",
            mysql_database_url,
            SLACK_WEBHOOK_URL=slack.url,
            RULES=rules_file(tmp_path, SCALE, SHED_LOAD.replace("URL", balancer.base_url + "/shed"), TELL),
            REMEDIATION_ALLOW="kubernetes.scale,http.call",
            REMEDIATION_HTTP_ALLOW="127.0.0.0/8",
            REMIND_INTERVAL_SECONDS="1",
            **cluster.settings,
        ) as receiver:
            receiver.post(cpu_high())
            failed = receiver.wait_for_incident(status="active", mitigation="failed", timeout=40)
            # Opened, two failures, and then reminders: one, and another one.
            wait_until(lambda: len(slack.messages()) >= 5, 30, "reminders")
            answer = requests.post(
                f"{receiver.url}/api/v1/incidents/{failed['incident_id']}/ack", json={}, timeout=10
            )
            assert answer.status_code == 200
            wait_until(lambda: not reminders_waiting(mysql_database_url), 20, "the end of the reminders")
            found = incident(receiver, failed["incident_id"])

    assert (found["status"], found["mitigation"]) == ("acknowledged", "failed")
    assert [action["state"] for action in found["remediation_actions"]] == ["failed", "failed"]
    assert cluster.changes() == []
    texts = [message.json["text"] for message in slack.messages()]
    assert [text.partition(" ")[0] for text in texts[:5]] == ["🔴", "❌", "❌", "⏰", "⏰"]
    assert sum(text.startswith("❌") for text in texts) == 2, "a failure was told twice"


def reminders_waiting(database_url: str) -> int:
    """Jobs that would remind people once more."""
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            keys = connection.execute(
                select(jobs.c.idempotency_key).where(jobs.c.state.in_(["ready", "running"]))
            )
            return sum("reminder" in key for (key,) in keys)
    finally:
        engine.dispose()

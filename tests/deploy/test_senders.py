"""The demo's Prometheus, Alertmanager and Grafana: their own checkers pass them, and what they post arrives."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.compose import ROOT, SERVICES
from tests.deploy.front import Front
from tests.deploy.upstream import Upstream
from tests.fakes import tools
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.polling import wait_until

ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana" / "provisioning"
NGINX = "http://nginx:8080"

RULES_TEST = """
rule_files: [{rules}]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {{series: 'up{{job="worker", instance="a:1"}}', values: '1 0x20'}}
    alert_rule_test:
      - {{eval_time: 30s, alertname: DemoAlwaysFiring, exp_alerts: [{always}]}}
      - {{eval_time: 30s, alertname: DemoComesAndGoes, exp_alerts: [{comes_and_goes}]}}
      - {{eval_time: 150s, alertname: DemoComesAndGoes, exp_alerts: []}}
      - {{eval_time: 270s, alertname: DemoComesAndGoes, exp_alerts: [{comes_and_goes}]}}
      - {{eval_time: 30s, alertname: TargetDown, exp_alerts: []}}
      - {{eval_time: 60s, alertname: TargetDown, exp_alerts: [{target_down}]}}
"""


def provisioned(path: str) -> dict[str, Any]:
    found = yaml.safe_load((GRAFANA / path).read_text(encoding="utf-8"))
    assert found["apiVersion"] == 1
    return dict(found)


def check(server: str, checker: str, *arguments: str | Path) -> None:
    """Runs the checker that comes with a server, in one package and one folder."""
    command = [tools.require(server).with_name(checker), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_passes_alertmanagers_configuration() -> None:
    check("alertmanager", "amtool", "check-config", ALERTMANAGER)


def test_promtool_passes_prometheus_configuration_and_rules() -> None:
    check("prometheus", "promtool", "check", "config", PROMETHEUS / "prometheus.yml")


def test_the_demo_rules_fire_soon_and_when_they_say(tmp_path: Path) -> None:
    rules = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    expected = {
        rule["alert"]: {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}
        for rule in rules
    }
    down = expected["TargetDown"]
    down["exp_labels"] |= {"service": "worker", "job": "worker", "instance": "a:1"}
    down["exp_annotations"] = {**down["exp_annotations"], "summary": "worker at a:1 does not answer"}
    text = RULES_TEST.format(
        rules=PROMETHEUS / "rules.yml",
        always=json.dumps(expected["DemoAlwaysFiring"]),
        comes_and_goes=json.dumps(expected["DemoComesAndGoes"]),
        target_down=json.dumps(down),
    )
    (tmp_path / "test.yml").write_text(text, encoding="utf-8")
    check("prometheus", "promtool", "test", "rules", tmp_path / "test.yml")


def test_what_alertmanager_posts_arrives_with_its_credential(
    front: Front, upstream: Upstream, start_alertmanager: Callable[[str], Alertmanager], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t0ken")
    text = ALERTMANAGER.read_text(encoding="utf-8")
    for old, new in {
        NGINX: f"http://127.0.0.1:{front.port}",
        "/run/secrets/webhook_token": str(tmp_path / "token"),
        "group_wait: 5s": "group_wait: 10ms",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    start_alertmanager(text).post_alerts([{"labels": {"alertname": "DiskFull"}}])
    wait_until(lambda: bool(upstream.seen), what="Alertmanager to post")
    request = upstream.seen[0]
    assert (request.method, request.path) == ("POST", "/api/v1/webhooks/alertmanager")
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert json.loads(request.body)["alerts"][0]["labels"] == {"alertname": "DiskFull"}


def test_the_readme_and_the_demo_configure_alertmanager_alike() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (text,) = [block for block in blocks if "webhook_configs" in block]
    told, done = (
        yaml.safe_load(part)["receivers"][0] for part in (text, ALERTMANAGER.read_text(encoding="utf-8"))
    )
    assert told["name"] == done["name"]
    for receiver in (told, done):
        (webhook,) = receiver["webhook_configs"]
        assert webhook.pop("url").endswith("/api/v1/webhooks/alertmanager")
        (kind,) = webhook["http_config"].pop("authorization")
        assert kind in ("credentials", "credentials_file")
    assert told == done


def test_resolved_alerts_are_sent_too() -> None:
    receiver = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))["receivers"][0]
    assert [webhook["send_resolved"] for webhook in receiver["webhook_configs"]] == [True]
    (contact,) = provisioned("alerting/contact-points.yml")["contactPoints"]
    assert [entry["disableResolveMessage"] for entry in contact["receivers"]] == [False]


def test_the_senders_meet_nginx_where_it_listens() -> None:
    listen = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    assert "listen 8080 " in listen
    for sender in ("alertmanager", "grafana"):
        assert set(SERVICES[sender]["networks"]) & set(SERVICES["nginx"]["networks"])


# Grafana itself is not run here. Which keys it reads, and that it takes `$` in labels and settings for variables:
# https://github.com/grafana/grafana/tree/main/pkg/services/provisioning/alerting (rules_types.go,
# contact_point_types.go, notification_policy_types.go) and
# https://github.com/grafana/alerting/blob/main/receivers/webhook/v1/config.go
RULE_KEYS = {
    "uid", "title", "condition", "data", "dashboardUid", "panelId", "noDataState", "execErrState", "for",
    "keepFiringFor", "annotations", "labels", "isPaused", "notification_settings", "record",
}  # fmt: skip
WEBHOOK_KEYS = {
    "url", "httpMethod", "maxAlerts", "authorization_scheme", "authorization_credentials", "username", "password",
    "headers", "title", "message", "tlsConfig", "hmacConfig", "http_config", "payload",
}  # fmt: skip
POLICY_KEYS = {
    "orgId", "receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "routes", "object_matchers",
}  # fmt: skip


def test_grafanas_contact_point_posts_to_nginx_with_the_token() -> None:
    (contact,) = provisioned("alerting/contact-points.yml")["contactPoints"]
    (entry,) = contact["receivers"]
    settings = entry["settings"]
    assert entry["type"] == "webhook"
    assert settings.keys() <= WEBHOOK_KEYS
    assert settings["url"] == f"{NGINX}/api/v1/webhooks/grafana"
    assert settings["httpMethod"] in ("POST", "PUT")
    assert settings["authorization_scheme"] == "Bearer"
    assert settings["authorization_credentials"] == "$__file{/run/secrets/webhook_token}"


def test_grafanas_policy_leads_to_the_contact_point() -> None:
    (policy,) = provisioned("alerting/policies.yml")["policies"]
    (contact,) = provisioned("alerting/contact-points.yml")["contactPoints"]
    assert policy.keys() <= POLICY_KEYS
    assert policy["receiver"] == contact["name"]
    assert policy["orgId"] == contact["orgId"]


def test_grafanas_rule_is_complete_and_asks_the_provisioned_datasource() -> None:
    (source,) = provisioned("datasources/prometheus.yml")["datasources"]
    (group,) = provisioned("alerting/rules.yml")["groups"]
    (rule,) = group["rules"]
    assert {"orgId", "name", "folder", "interval", "rules"} == group.keys()
    assert rule.keys() <= RULE_KEYS
    assert {"uid", "title", "condition", "data"} <= rule.keys()
    queries = {query["refId"]: query for query in rule["data"]}
    assert rule["condition"] in queries
    assert {query["datasourceUid"] for query in queries.values()} == {source["uid"], "__expr__"}
    assert queries[rule["condition"]]["model"]["expression"] in queries
    assert source["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_grafana_finds_no_variable_where_none_is_meant(part: str) -> None:
    (group,) = provisioned("alerting/rules.yml")["groups"]
    for text in group["rules"][0][part].values():
        assert "$" not in text

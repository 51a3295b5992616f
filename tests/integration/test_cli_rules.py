"""`receiver rules`: mistakes, a dry run on a body, and a replay of what is stored, for people."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from receiver.cli.exits import Exit
from receiver.ids import new_trace_id
from receiver.rules_file import default_rules, remediation_rules
from receiver.services.intake import Intake
from tests.builders import bodies
from tests.builders.cli import feed, run
from tests.builders.rules import rules_text
from tests.fakes.processes import environment
from tests.fixtures.runtimes import RuntimeFactory

SLACK = "https://hooks.slack.example/services/T0/B0/x"
RULES = """
- name: staging
  on: alert.raised
  match: cluster=staging
  incident: ignore
- name: checkout
  on: alert.raised
  match: ['service="checkout"', 'severity=~"critical|error"']
  priority: P0
- name: page
  on: incident.opened
  match: priority=P0
  notify: {channels: [pagerduty]}
  continue: true
- name: rest
  on: [incident.opened, incident.resolved]
  notify: {channels: all}
"""

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A function that writes a rules file."""

    def write(content: str) -> Path:
        file = tmp_path / "new.yml"
        file.write_text(content)
        return file

    return write


def test_a_good_file_is_said_to_be_good(written: Written) -> None:
    file = written(rules_text(RULES))
    answer = run(["rules", "check", str(file)])
    assert (answer.exit_code, answer.output) == (0, f"{file}: no mistakes, 4 rules\n")


def test_all_mistakes_are_listed_with_their_places(written: Written) -> None:
    file = written("version: 1\nrules:\n  - {name: a, on: incident.opend, incident: ignore}\n  - {nme: b}\n")
    answer = run(["rules", "check", str(file)])
    assert answer.exit_code == Exit.FAILED
    lines = answer.output.splitlines()
    assert lines[0] == f'{file}:3:19: unknown event "incident.opend"; did you mean "incident.opened"?'
    assert all(line.startswith(f"{file}:4:") for line in lines[1:]) and len(lines) == 5


@pytest.mark.parametrize("content", [b"\xff\xfe", b"version: 1\nrules: \xc3\x28"])
def test_a_file_that_is_no_text_has_a_place_too(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "new.yml"
    file.write_bytes(content)
    answer = run(["rules", "check", str(file)])
    place = "1:1" if content.startswith(b"\xff") else "2:8"
    assert (answer.exit_code, answer.output) == (
        Exit.FAILED,
        f"{file}:{place}: the file must be UTF-8 text\n",
    )


def test_a_file_that_is_missing_is_said_to_be_missing(tmp_path: Path) -> None:
    for place in (tmp_path / "none.yml", tmp_path):
        answer = run(["rules", "check", str(place)])
        assert answer.exit_code == Exit.FAILED
        assert answer.output.startswith(f"{place}: the file cannot be read (")


def test_channels_that_are_not_configured_are_mistakes_only_where_the_rules_are_to_run(
    written: Written,
) -> None:
    file = str(written(rules_text(RULES)))
    answer = run(["rules", "check", "--here", file], SLACK_WEBHOOK_URL=SLACK)
    assert (answer.exit_code, "the channel pagerduty is not configured" in answer.output) == (1, True)
    answer = run(["rules", "check", "--here", file], PAGERDUTY_ROUTING_KEY="0" * 32)
    assert answer.exit_code == 0


@pytest.mark.parametrize("words", [["up"], ["serve"], ["worker"]])
def test_nothing_starts_with_wrong_rules(written: Written, tmp_path: Path, words: list[str]) -> None:
    file = written("version: 3\nrules: {}\n")
    answer = run(
        words, RULES=str(file), DATABASE_URL=f"sqlite:///{tmp_path}/none.db", METRICS_DIR=str(tmp_path)
    )
    assert answer.exit_code == Exit.SETTINGS
    assert answer.stderr.splitlines() == [
        "The rules are not right:",
        f'  {file}:1:10: version must be 1, this is "3"',
        f"  {file}:2:8: rules must be a list, this is a table of keys",
    ]


def test_any_other_server_is_told_not_to_start_either(written: Written) -> None:
    env = environment({"RECEIVER_RULES": str(written("version: 3\nrules: []\n"))})
    asked = subprocess.run(
        [sys.executable, "-c", "import receiver.wsgi"], env=env, capture_output=True, text=True
    )
    assert (asked.returncode, "The rules are not right:" in asked.stderr) == (4, True)
    assert "Traceback" not in asked.stderr


def test_doctor_tells_wrong_rules_and_which_are_in_force(written: Written, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/none.db"
    answer = run(["doctor"], RULES=str(written("version: 3\nrules: []\n")), DATABASE_URL=database)
    assert (answer.exit_code, ":1:10: version must be 1" in answer.output) == (Exit.FAILED, True)
    assert "rules        5 in force: the default ones" in run(["doctor"], DATABASE_URL=database).output


def test_the_default_rules_can_be_had_as_a_start(written: Written) -> None:
    answer = run(["rules", "default"])
    assert answer.output == default_rules()
    assert run(["rules", "check", str(written(answer.output))]).exit_code == 0
    answer = run(["rules", "default", "--with-remediation"])
    assert answer.output == remediation_rules()
    assert run(["rules", "check", str(written(answer.output))]).exit_code == 0


def test_a_body_is_tried_out_without_a_database(written: Written, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    alerts = [
        bodies.alert(service="checkout", cluster="prod"),
        bodies.alert("Slow", cluster="staging", severity="warning"),
    ]
    body.write_bytes(bodies.alertmanager([*alerts, 7]))
    nowhere = "mysql+pymysql://nobody@127.0.0.1:1/none"
    command = ["rules", "test", str(written(rules_text(RULES))), "--payload", str(body)]
    answer = run(command, SLACK_WEBHOOK_URL=SLACK, DATABASE_URL=nowhere)
    assert answer.exit_code == 0, answer.output
    first, second, rest = answer.output.split("\n\n")
    lines = [" ".join(line.split()) for line in first.splitlines()]
    assert lines[0].startswith("CpuHigh, firing, incident key ")
    assert 'priority="P0" severity="critical" ' in lines[1] or 'severity="critical"' in lines[1]
    assert lines[2:] == [
        "alert.raised",
        'staging does not apply cluster=staging, and it is "prod"',
        'checkout applies service="checkout", severity=~"critical|error"',
        "=> opens or joins an incident of priority P0 (rule checkout)",
        "incident.opened",
        "page applies priority=P0",
        "rest applies always",
        "=> pagerduty is told: opened (rule page)",
        "=> slack is told: opened (rule rest)",
        "incident.resolved",
        "rest applies always",
        "=> slack is told: resolved (rule rest)",
    ]
    assert "staging   applies" in second and "checkout  not looked at  staging came first" in second
    assert second.endswith("=> ignored: rule staging")
    assert rest.startswith("An alert is malformed, it would be rejected: the alert is a number")
    piped = [*command[:-1], "-"]
    from_stdin = feed(piped, body.read_bytes(), SLACK_WEBHOOK_URL=SLACK, DATABASE_URL=nowhere)
    assert from_stdin.output == answer.output


ACTING = """
- name: scale
  on: incident.opened
  match: namespace!=""
  run:
    action: kubernetes.scale
    target: {namespace: "{{ namespace }}", deployment: "{{ labels.deployment }}"}
    parameters: {by: 1}
    resolves: true
  diagnose: service
- name: instead
  on: [action.failed, action.rejected]
  match: [rule=scale, mitigation=failed]
  run: {action: kubernetes.rollout_restart, target: {namespace: shop, deployment: a}, approval: required}
- {name: call, on: [action.failed, action.requested], escalate: people}
"""
ACTING_HEAD = """
diagnoses: {service: {metrics: {rate: {query: up}}}}
escalations: {people: {steps: [{after: 0m, channels: all}]}}
"""


def test_what_actions_would_bring_about_is_shown_for_each_way_they_can_end(
    written: Written, tmp_path: Path
) -> None:
    body = tmp_path / "body.json"
    alerts = [
        bodies.alert(namespace="shop", deployment="web"),
        bodies.alert(namespace="shop", service="b"),
        bodies.alert(namespace="shop; rm -rf /", deployment="web", service="c"),
    ]
    body.write_bytes(bodies.alertmanager(alerts))
    command = ["rules", "test", str(written(rules_text(ACTING, ACTING_HEAD))), "--payload", str(body)]
    answer = run(command, PAGERDUTY_ROUTING_KEY="0" * 32)
    assert answer.exit_code == 0, answer.output
    good, lacking, *_ = answer.output.split("\n\n")
    scale = "kubernetes.scale on namespace=shop deployment=web by=1 is asked for"
    restart = "kubernetes.rollout_restart on namespace=shop deployment=a is asked for"
    assert [" ".join(line.split()) for line in good.splitlines()[5:]] == [
        "incident.opened",
        'scale applies namespace!=""',
        "=> the diagnosis service is made (rule scale)",
        f"=> {scale}, and resolves the incident if it helps (rule scale)",
        "action.failed: kubernetes.scale, asked for by scale",
        "instead applies rule=scale, mitigation=failed",
        "call not looked at instead came first",
        f"=> {restart}, once a person has approved it (rule instead)",
        "action.requested: kubernetes.rollout_restart, asked for by instead",
        "call applies always",
        "=> the escalation people begins (rule call)",
        "action.failed: kubernetes.rollout_restart, asked for by instead",
        'instead does not apply rule=scale, and it is "instead"',
        "call applies always",
        "=> the escalation people begins (rule call)",
    ]
    assert "kubernetes.scale is asked for, and rejected: there is no label deployment" in lacking
    answer = run([*command, "--here"], KUBERNETES_URL="https://k8s.example", KUBERNETES_TOKEN="t")
    assert scale in answer.output.split("\n\n")[0].replace(
        "kubernetes:shop/deployment/web", "namespace=shop deployment=web"
    )
    assert 'rejected: target.namespace: "shop; rm -rf /" is no name' in answer.output.split("\n\n")[2]


def test_a_body_that_nobody_understands_is_a_line(written: Written, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text("hello")
    answer = run(["rules", "test", str(written(default_rules())), "--payload", str(body)])
    assert answer.exit_code == Exit.FAILED
    assert answer.stderr.startswith(f"{body}: ") and "Traceback" not in answer.output
    answer = run(["rules", "test", str(written(default_rules())), "--payload", str(tmp_path / "none.json")])
    assert answer.exit_code == Exit.SETTINGS and "No such file or directory" in answer.output


def test_a_replay_shows_what_new_rules_would_have_made_of_the_stored_alerts(
    engine: Engine, make_runtime: RuntimeFactory, written: Written
) -> None:
    intake = Intake(make_runtime(engine, SLACK_WEBHOOK_URL=SLACK))
    for one in (
        [bodies.alert(service="checkout", cluster="prod", severity="error")],
        [bodies.alert(service="checkout", cluster="prod", severity="error")],
        [bodies.alert(service="a", cluster="staging"), bodies.alert(service="b", cluster="staging")],
        [bodies.alert(service="checkout", cluster="prod", severity="error", status="resolved"), 7],
    ):
        intake.accept(intake.read(bodies.alertmanager(one), trace_id=new_trace_id()))
    before = counts(engine)
    answer = run(
        ["rules", "replay", str(written(rules_text(RULES))), "--since", "2h"],
        DATABASE_URL=engine.url.render_as_string(hide_password=False),
        SLACK_WEBHOOK_URL=SLACK,
    )
    assert answer.exit_code == 0, answer.output
    lines = [line.split() for line in answer.output.splitlines() if line.strip()]
    assert lines[0][:2] == ["6", "alerts"]
    assert lines[1:] == [
        ["IN", "FORCE", "new.yml"],
        ["alerts", "ignored", ".", "2"],
        ["incidents", "opened", "3", "1"],
        ["P0", "2", "1"],
        ["P1", "1", "."],
        ["notifications", "4", "3"],
        ["pagerduty", ".", "1"],
        ["slack", "4", "2"],
        ["escalations", "begun", "3", "."],
        ["default", "3", "."],
        ["RULES", "OF", "new.yml", "IGNORED", "PRIORITY", "SET", "NOTIFICATIONS"],
        ["staging", "2", ".", "."],
        ["checkout", ".", "1", "."],
        ["page", ".", ".", "1"],
        ["rest", ".", ".", "2"],
    ]
    assert counts(engine) == before


def test_a_replay_counts_what_else_would_have_been_asked_for(
    engine: Engine, make_runtime: RuntimeFactory, written: Written
) -> None:
    intake = Intake(make_runtime(engine))
    alerts: list[dict[str, Any]] = [
        {"deployment": "a"},
        {"deployment": "a"},
        {"service": "b"},
        {"namespace": ""},
    ]
    for labels in alerts:
        body = bodies.alertmanager([bodies.alert("CpuHigh", **({"namespace": "shop"} | labels))])
        intake.accept(intake.read(body, trace_id=new_trace_id()))
    answer = run(
        ["rules", "replay", str(written(rules_text(ACTING, ACTING_HEAD))), "--since", "2h"],
        DATABASE_URL=engine.url.render_as_string(hide_password=False),
    )
    assert answer.exit_code == 0, answer.output
    lines = [line.split() for line in answer.output.splitlines() if line.strip()]
    after = lines.index(["notifications", ".", "."])
    assert lines[after + 1 :] == [
        ["actions", "asked", "for", ".", "2"],
        ["kubernetes.scale", ".", "2"],
        ["of", "these,", "lacking", "a", "label", ".", "1"],
        ["diagnoses", ".", "2"],
        ["service", ".", "2"],
        ["RULES", "OF", "new.yml", "IGNORED", "PRIORITY", "SET", "NOTIFICATIONS", "ACTIONS", "DIAGNOSES"],
        ["scale", ".", ".", ".", "2", "2"],
        ["instead", ".", ".", ".", ".", "."],
        ["call", ".", ".", ".", ".", "."],
    ]


def test_a_replay_of_nothing_is_a_table_of_nothing(sqlite_engine: Engine, written: Written) -> None:
    answer = run(
        ["rules", "replay", str(written(default_rules())), "--since", "4w"],
        DATABASE_URL=sqlite_engine.url.render_as_string(),
    )
    assert (answer.exit_code, answer.output.startswith("0 alerts since ")) == (0, True)


@pytest.mark.parametrize("span", ["", "30", "d", "-1d", "30 years", "9999999d"])
def test_a_span_that_is_none_is_refused(written: Written, span: str) -> None:
    answer = run(["rules", "replay", str(written(default_rules())), "--since", span])
    assert (answer.exit_code, "90m, 12h, 30d or 4w" in answer.output) == (2, True)


def counts(engine: Engine) -> list[int]:
    tables = ("deliveries", "grafana_alerts", "incidents", "events", "jobs", "alert_episodes")
    with engine.connect() as connection:
        return [connection.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one() for name in tables]

"""What could never run, match or be read as it is meant is a mistake in a rules file, with its place."""

from __future__ import annotations

import pytest

from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE, mistakes_of
from tests.builders.rules import mistakes, rules_text

SCALE = "action: kubernetes.scale, target: {namespace: shop, deployment: web}"


def told_of(run: str) -> list[str]:
    """What is said of a `run`, each with the text that stands at its place."""
    text = rules_text(f"- {{name: a, on: incident.opened, run: {{{run}}}}}")
    _, problems = parse_rules(text, WANTED, actions=CATALOGUE, mistakes_of=mistakes_of)
    lines = text.splitlines()
    return [f"{lines[one.line - 1][one.column - 1 :][:6]} {one.text}" for one in problems]


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (f"{SCALE}, parameters: {{by: 1, min: 5, max: 2}}", "5, max min: 5 is more than max, which is 2"),
        (f"{SCALE}, parameters: {{min: 5}}", "{min:  parameters: needs either replicas or by"),
        (SCALE, "{actio parameters: needs either replicas or by"),
        (
            "action: kubernetes.cordon, target: {node: UPPER}",
            'UPPER} target.node: "UPPER" is no name of a node',
        ),
        (
            "action: redis.clear_prefix, target: {database: cache}, parameters: {prefix: ab}",
            "ab}}} prefix: must have",
        ),
        (
            "action: disk.cleanup, target: {path: /var/../etc}, parameters: {older_than_hours: 24}",
            '/var/. target.path: "/var/../etc" must begin with /',
        ),
        ("action: http.call, target: {url: 'ftp://h/x'}", "'ftp:/ target.url: "),
    ],
)
def test_a_run_that_its_action_would_always_refuse_is_a_mistake_at_its_place(run: str, told: str) -> None:
    (found,) = told_of(run)
    assert found.startswith(told)


@pytest.mark.parametrize(
    "run",
    [
        "action: kubernetes.scale, target: {namespace: '{{ namespace }}', deployment: web}, parameters: {by: 1}",
        f"{SCALE}, parameters: {{by: 1, min: 5, max: '{{{{ labels.most }}}}'}}",
        f"{SCALE}, parameters: {{by: '{{{{ labels.by }}}}'}}",
        "action: http.call, target: {url: '{{ labels.url }}'}",
        "action: disk.cleanup, target: {path: '/var/log/{{ service }}'}, parameters: {older_than_hours: 24}",
        "action: redis.clear_prefix, target: {database: c}, parameters: {prefix: '{{ service }}'}",
        "action: command.run, target: {command: anywhere}, parameters: {arguments: {a: '{{ service }}'}}",
        "action: mysql.kill_connections, target: {database: of-elsewhere}, parameters: {idle_seconds: 600}",
        "action: kubernetes.cordon, target: {node: a}",
    ],
)
def test_nothing_is_held_against_what_only_an_alert_or_the_settings_can_tell(run: str) -> None:
    assert told_of(run) == []


def test_what_is_certain_is_told_even_where_the_alert_gives_the_rest() -> None:
    run = "action: kubernetes.scale, target: {namespace: '{{ namespace }}', deployment: UP}, parameters: {by: 1}"
    (found,) = told_of(run)
    assert found.startswith("UP}, p target.deployment: ")


@pytest.mark.parametrize("name", ["labels.team", "labels.x.y"])
def test_a_label_in_the_plural_is_told_how_it_is_written(name: str) -> None:
    found = mistakes(rules_text(f"- {{name: a, on: alert.raised, match: '{name}=\"x\"', incident: ignore}}"))
    singular = name.replace("labels", "label")
    assert [one.partition(" ")[2] for one in found] == [f'"{name}" is no label; write {singular}']


def test_an_unquoted_channel_of_slack_is_told_to_need_quotes() -> None:
    found = mistakes(rules_text("- name: a\n  on: incident.opened\n  notify: {channels: [#db]}"))
    assert found[0].endswith('; in line 5 # begins a comment, a text with it needs quotes, as in "#db"')
    (told,) = mistakes("version: 1\nchannels: {db: {slack: #db}}\nrules: []\n")
    assert told.endswith('; in line 2 # begins a comment, a text with it needs quotes, as in "#db"')
    (told,) = mistakes("version: 1 # {one\nrules: [# all of them\n  'a\n")
    assert "needs quotes" not in told


def test_notify_without_its_table_is_shown_how_to_write_it() -> None:
    (found,) = mistakes(rules_text("- {name: a, on: incident.opened, notify: slack}"))
    assert found.endswith("write it as {channels: [slack]}")


@pytest.mark.parametrize(
    ("verify", "told"),
    [
        ("{query: up, within: 5m}", "holds is missing"),
        ("{holds: '> 1', within: 5m}", "query is missing"),
        ("{alert_resolved: true, query: up, within: 5m}", "verify needs either"),
        ("{within: 5m}", "verify needs either"),
    ],
)
def test_half_a_verification_is_told_once(verify: str, told: str) -> None:
    (found,) = told_of(f"action: kubernetes.cordon, target: {{node: a}}, verify: {verify}")
    assert told in found

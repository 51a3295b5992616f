"""What rules ask for in vain here is told by `rules check --here`, at start and by the doctor; not elsewhere."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from receiver.config import load
from receiver.domain.finding import Level
from receiver.rules_file import rules_of
from receiver.runtime import build_runtime
from receiver.services.actions_check import check_actions
from tests.builders.cli import run
from tests.builders.rules import rules_text

RULES = """
- name: told
  on: incident.opened
  notify: {channels: all, template: nope}
  continue: true
- name: mended
  on: incident.opened
  run: {action: command.run, target: {command: nope}}
  continue: true
- name: cleared
  on: incident.opened
  run: {action: redis.clear_prefix, target: {database: gone}, parameters: {prefix: "abc:"}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of rules that can be used elsewhere only."""
    path = tmp_path / "rules.yml"
    path.write_text(rules_text(RULES))
    return path


def test_what_is_not_there_is_a_mistake_only_where_the_rules_are_to_run(file: Path) -> None:
    assert run(["rules", "check", str(file)]).exit_code == 0
    answer = run(["rules", "check", "--here", str(file)])
    assert answer.exit_code == 1
    template, command, database = answer.output.splitlines()
    assert ":5:" in template and 'unknown template "nope"' in template
    assert 'target.command: "nope" is not in RECEIVER_REMEDIATION_COMMANDS' in command
    assert "target.database: there is no redis database of this name" in database


def test_a_missing_template_is_a_warning_at_start(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load({"RECEIVER_RULES": str(file), "RECEIVER_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"})
    with caplog.at_level(logging.WARNING):
        build_runtime(settings, rules=rules_of(settings)).close()
    (told,) = (one for one in caplog.records if one.getMessage() == "template.missing")
    assert (told.__dict__["rule"], told.__dict__["template"]) == ("told", "nope")


def test_the_doctor_names_rules_whose_action_is_not_allowed(file: Path) -> None:
    settings = {"RECEIVER_RULES": str(file), "RECEIVER_REMEDIATION_ALLOW": "command.*"}
    told = [one for one in check_actions(load(settings)) if one.level is Level.WARN]
    assert [one.text.partition(": ")[2] for one in told] == ['"cleared" for redis.clear_prefix']
    settings["RECEIVER_REMEDIATION_ALLOW"] = "*"
    assert [one.level for one in check_actions(load(settings))] == [Level.OK]


def test_channels_of_elsewhere_can_be_declared_for_a_check(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(rules_text("- {name: a, on: incident.opened, notify: {channels: [ops, night]}}"))
    answer = run(["rules", "check", "--channel", "ops", str(path)])
    assert answer.exit_code == 1
    for words in ('unknown channel "night"', "under channels:", "RECEIVER_APPRISE_URLS", "--channel night"):
        assert words in answer.output
    assert run(["rules", "check", "--channel", "ops", "--channel", "night", str(path)]).exit_code == 0
    assert run(["rules", "check", "--here", "--channel", "ops", str(path)]).exit_code == 2

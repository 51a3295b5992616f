"""`receiver templates` tells all mistakes with their places, and shows what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.cli.exits import Exit
from receiver.notifiers.template_files import shipped
from tests.builders.cli import run


def test_all_mistakes_are_told_with_file_and_line(tmp_path: Path) -> None:
    tmp_path.joinpath("slack-text.txt").write_text("fine\n{{ titel }}\n")
    tmp_path.joinpath("email-body.html").write_text("{% for %}")
    answer = run(["templates", "check", str(tmp_path)])
    assert answer.exit_code == Exit.FAILED
    first, second = answer.stdout.splitlines()
    assert first.startswith(f"{tmp_path}/email-body.html:1: ")
    assert second == f'{tmp_path}/slack-text.txt:2: unknown name "titel"; did you mean "title"?'


def test_a_folder_without_mistakes_names_its_wordings(tmp_path: Path) -> None:
    tmp_path.joinpath("night.txt").write_text("{{ title }}")
    answer = run(["templates", "check"], TEMPLATES_DIR=str(tmp_path))
    assert (answer.exit_code, answer.stdout) == (0, f"{tmp_path}: no mistakes; rules may name night\n")


def test_without_a_folder_there_is_nothing_to_check() -> None:
    answer = run(["templates", "check"])
    assert (answer.exit_code, "RECEIVER_TEMPLATES_DIR" in answer.stderr) == (Exit.SETTINGS, True)


@pytest.mark.parametrize("file", sorted(shipped()))
def test_a_shipped_template_shown_and_put_into_the_folder_changes_nothing(file: str, tmp_path: Path) -> None:
    text = run(["templates", "show", file]).stdout
    tmp_path.joinpath(file).write_text(text)
    assert run(["templates", "check", str(tmp_path)]).exit_code == 0
    assert text == shipped()[file].text


def test_what_there_is_is_listed() -> None:
    listed = run(["templates", "show"]).stdout
    assert all(file in listed for file in shipped())
    assert run(["templates", "show", "nope.txt"]).exit_code == Exit.SETTINGS


def test_the_doctor_finds_a_rule_whose_template_is_not_there(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "version: 1\nrules: [{name: a, on: incident.opened, notify: {channels: all, template: night}}]\n"
    )
    answer = run(["doctor"], RULES=str(rules), DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert '"a" asks for the template night, which is not there' in answer.stdout

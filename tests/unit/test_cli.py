"""The command line: every command is there and explained, and what goes wrong is a line and a status, no traceback."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from receiver import __version__
from receiver.cli import COMMANDS, main
from receiver.cli.exits import Exit, failure_of
from receiver.cli.table import table
from receiver.config import SETTINGS
from receiver.errors import SchemaOutOfDate
from tests.builders.cli import run
from tests.fakes.ports import free_port

PASSWORD = "a-password-nobody-may-see"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_parts(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert isinstance(command, click.Command)
    parts = list(command.commands.values()) if isinstance(command, click.Group) else []
    for one in (command, *parts):
        assert one.help
        for option in one.params:
            assert isinstance(option, click.Argument) or getattr(option, "help", None), option.name
    assert run([name, "--help"]).exit_code == 0


def test_help_lists_all_commands() -> None:
    listed = run(["--help"]).output
    assert all(f"\n  {name} " in listed for name in COMMANDS)


def test_the_version_is_the_packages() -> None:
    assert run(["--version"]).output == f"receiver, version {__version__}\n"


def test_an_unknown_command_is_refused() -> None:
    answer = run(["upgrade"])
    assert (answer.exit_code, "No such command" in answer.output) == (2, True)


def test_wrong_settings_are_told_all_at_once() -> None:
    answer = run(["db", "check"], BIND="nonsense", LOG_LEVEL="loud", SLACK_WEBHOOK=PASSWORD)
    assert answer.exit_code == Exit.SETTINGS
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        "The settings are not right:",
        "  RECEIVER_BIND: must be host:port, for example 127.0.0.1:8080",
        "  RECEIVER_LOG_LEVEL: must be DEBUG, INFO, WARNING or ERROR",
        "  RECEIVER_SLACK_WEBHOOK: there is no such setting",
    ]


@pytest.mark.parametrize("arguments", [["db", "check"], ["db", "upgrade"], ["jobs", "list"]])
def test_a_database_that_is_away_is_one_line_without_its_password(arguments: list[str]) -> None:
    url = f"mysql+pymysql://receiver:{PASSWORD}@127.0.0.1:{free_port()}/receiver"
    answer = run(arguments, DATABASE_URL=url)
    assert answer.exit_code == Exit.DATABASE
    assert (
        answer.stderr
        == "The database cannot be used: nothing answers there (2003). `receiver doctor` tells more.\n"
    )


def test_a_database_without_tables_says_what_to_run(tmp_path: Path) -> None:
    answer = run(["jobs", "list"], DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert answer.exit_code == Exit.SCHEMA
    assert "run `receiver db upgrade`" in answer.stderr


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    answer = run(["db", "upgrade"], DATABASE_URL=f"sqlite:///{tmp_path}/file/new.db")
    assert answer.exit_code == Exit.FAILED
    assert answer.stderr == f"{tmp_path}/file: File exists\n"


def test_a_bug_is_no_failure_of_the_users() -> None:
    assert failure_of(KeyError("a bug")) is None
    assert failure_of(SchemaOutOfDate("x")) == (Exit.SCHEMA, "The database is not ready: x")


def test_settings_are_listed_with_defaults_but_without_values() -> None:
    answer = run(["settings"], WEBHOOK_TOKEN=PASSWORD)
    assert PASSWORD not in answer.output
    for one in SETTINGS:
        assert f"\n{one.name}  [default: {one.default or 'not set'}]" in f"\n{answer.output}"
        assert one.help in answer.output


def test_the_database_is_upgraded_once_and_then_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    first, second = (run(["db", "upgrade"], DATABASE_URL=url) for _ in range(2))
    assert (first.exit_code, "now (before: empty)" in first.output) == (0, True)
    assert (second.exit_code, "already" in second.output) == (0, True)


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    run(["db", "upgrade"], DATABASE_URL=url)
    with sqlite3.connect(tmp_path / "new.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    answer = run(["db", "upgrade"], DATABASE_URL=url)
    assert (answer.exit_code, "a newer release" in answer.stderr) == (Exit.SCHEMA, True)


def test_doctor_tells_wrong_settings_as_findings() -> None:
    answer = run(["doctor"], BIND="nonsense")
    assert answer.exit_code == Exit.FAILED
    assert answer.output.startswith("bad   settings     RECEIVER_BIND: must be host:port")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([("a", "bbb", "c"), ("aaaa", "b", "")], heading=("H", "I", "J")) == (
        "H     I    J\na     bbb  c\naaaa  b"
    )
    assert table([]) == ""


@pytest.mark.parametrize("module", ["up", "serve", "worker"])
def test_metrics_are_not_imported_before_their_directory_is_set(module: str) -> None:
    code = f"import sys, receiver.cli.{module}; print('prometheus_client' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout == "False\n"

"""command.run with real programs: no shell, nothing of our environment, limits that hold, nobody left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from receiver.errors import DeliveryFailed, SettingsError
from receiver.remediation.base import Action
from receiver.remediation.child import LONGEST_OUTPUT_BYTES, run_child
from receiver.remediation.command_list import read_commands
from tests.builders.actions import actions, carry_out, failure_of, order
from tests.fakes.polling import wait_until

ECHO = "import sys; print(sys.argv[1:])"


def python(source: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", source, *arguments]


def written(folder: Path, commands: dict[str, object]) -> Path:
    file = folder / "commands.yml"
    file.write_text(yaml.safe_dump(commands))
    return file


def known(place: Path, **command: object) -> dict[str, Action]:
    return actions(REMEDIATION_COMMANDS=str(written(place, {"it": command})))


def it(**arguments: str):
    return order("command.run", {"command": "it"}, **({"arguments": arguments} if arguments else {}))


def test_arguments_go_in_as_words_and_no_shell_reads_them(tmp_path):
    run = python(ECHO, "--service", "{service}", "of {service}")
    found = known(tmp_path, run=run, arguments={"service": ".*"})
    evil = "a b; touch /tmp/x $(id) `id` && 'q' \"q\" > f | g *"
    result = carry_out(found, it(service=evil))
    assert result.output == f"{['--service', evil, f'of {evil}']}\n"


@pytest.mark.parametrize("value", ["A", "a b", "../x", "", "a\n", "x" * 41, "--all", "a\0b"])
def test_a_value_that_does_not_match_its_pattern_is_refused(tmp_path, value):
    found = known(tmp_path, run=python(ECHO, "{service}"), arguments={"service": "[a-z0-9][a-z0-9-]{0,39}"})
    assert found["command.run"].check(it(service="svc-a")) == []
    assert found["command.run"].check(it(service=value)) == [
        "arguments.service: does not match the pattern that the command has for it"
    ]


def test_arguments_that_are_missing_or_unknown_are_refused(tmp_path):
    found = known(tmp_path, run=python(ECHO, "{service}"), arguments={"service": "[a-z]+"})
    assert found["command.run"].check(it(other="x")) == [
        "arguments.service: is missing",
        "arguments.other: the command it has no such argument",
    ]


def test_only_commands_of_the_list_are_run(tmp_path):
    (problem,) = known(tmp_path, run=python(ECHO))["command.run"].check(
        order("command.run", {"command": "rm -rf /"})
    )
    assert problem == 'target.command: "rm -rf /" is not in RECEIVER_REMEDIATION_COMMANDS; it has it'


def test_nothing_of_our_environment_reaches_the_program(tmp_path, monkeypatch):
    monkeypatch.setenv("RECEIVER_TEST_SECRET", "secret")
    found = known(tmp_path, run=["/usr/bin/env"], environment={"LEVEL": "3"}, folder=str(tmp_path))
    lines = carry_out(found, it()).output.split()
    assert "LEVEL=3" in lines
    assert {line.partition("=")[0] for line in lines} == {"PATH", "LANG", "LEVEL"}


def test_it_runs_in_its_folder_and_reads_nothing(tmp_path):
    source = "import os, sys; print(os.getcwd(), repr(sys.stdin.read()))"
    found = known(tmp_path, run=python(source), folder=str(tmp_path))
    assert carry_out(found, it()).output == f"{tmp_path} ''\n"


def test_another_exit_status_than_0_is_a_failure_that_is_not_tried_again(tmp_path):
    source = "import sys; print('first', flush=True); print('disk is full', file=sys.stderr); sys.exit(3)"
    failure = failure_of(known(tmp_path, run=python(source)), it())
    assert (failure.reason, failure.permanent, failure.outcome_unknown) == (
        "exit status 3: disk is full",
        True,
        False,
    )


def test_a_program_that_is_not_there_has_done_nothing(tmp_path):
    failure = failure_of(known(tmp_path, run=["/nowhere/flush"]), it())
    assert (failure.permanent, failure.outcome_unknown) == (True, False)
    assert failure.reason == "the program cannot be started (No such file or directory)"


def test_one_that_does_not_end_is_killed_with_all_it_has_started(tmp_path):
    pids = tmp_path / "pids"
    source = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)"
    )
    failure = failure_of(known(tmp_path, run=python(source), timeout_seconds=2), it())
    assert (failure.outcome_unknown, failure.permanent) == (True, False)
    assert failure.reason == "killed: it had not ended within 2 s"
    wait_until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()), what="both are gone")


def test_what_it_leaves_behind_does_not_outlive_it(tmp_path):
    pid = tmp_path / "pid"
    source = (
        "import subprocess, sys\n"
        "null = subprocess.DEVNULL\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], stdout=null, stderr=null)\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))"
    )
    carry_out(known(tmp_path, run=python(source)), it())
    child = int(pid.read_text())
    wait_until(lambda: not alive(child), what="it is gone")
    assert not alive(child)


def test_endless_output_is_cut_and_does_not_hold_it_up(tmp_path):
    ended = run_child(python("print('x' * 10_000_000)"), seconds=60, folder=tmp_path)
    assert (ended.status, ended.is_cut, len(ended.output)) == (0, True, LONGEST_OUTPUT_BYTES)


def test_output_that_never_ends_is_stopped_by_the_time_limit(tmp_path):
    with pytest.raises(DeliveryFailed, match="killed"):
        run_child(python("while True: print('x' * 1000)"), seconds=1, folder=tmp_path)


def test_planning_starts_nothing_and_shows_the_words(tmp_path):
    found = known(tmp_path, run=["/bin/touch", str(tmp_path / "{name}")], arguments={"name": ".*"})
    plan = found["command.run"].plan(it(name="a b"))
    assert plan.text == f"run /bin/touch '{tmp_path}/a b'"
    assert not (tmp_path / "a b").exists()


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ([], "must be a table of commands by name"),
        ({"It": {"run": ["/bin/true"]}}, "It: a command's name is"),
        ({"it": "/bin/true"}, "it: must be a table with `run`"),
        ({"it": {"run": "/bin/true"}}, "it: run must be a list of texts"),
        ({"it": {"run": ["true"]}}, "it: run must begin with the program's absolute path"),
        (
            {"it": {"run": ["/bin/{x}"], "arguments": {"x": "a"}}},
            "it: run must begin with the program's absolute path",
        ),
        ({"it": {"run": ["/bin/echo", "{x}"]}}, "it: {x} stands in run but not in arguments"),
        ({"it": {"run": ["/bin/echo"], "arguments": {"x": "a"}}}, "it: the argument x does not stand in run"),
        (
            {"it": {"run": ["/bin/echo", "{x}"], "arguments": {"x": "("}}},
            "it: the pattern of x is none of RE2",
        ),
        (
            {"it": {"run": ["/bin/echo"], "timeout_seconds": 0}},
            "it: timeout_seconds must be a number above 0",
        ),
        (
            {"it": {"run": ["/bin/echo"], "timeout_seconds": True}},
            "it: timeout_seconds must be a number above 0",
        ),
        ({"it": {"run": ["/bin/echo"], "folder": "tmp"}}, "it: folder must be an absolute path"),
        ({"it": {"run": ["/bin/echo"], "environment": {"A": 1}}}, "must be tables of texts"),
        ({"it": {"run": ["/bin/echo"], "shell": True}}, "it: there is no key shell"),
    ],
)
def test_a_list_with_mistakes_is_told_at_start(tmp_path, commands, words):
    with pytest.raises(SettingsError) as caught:
        read_commands(written(tmp_path, commands))
    assert words in str(caught.value)
    assert "RECEIVER_REMEDIATION_COMMANDS" in str(caught.value)


def test_a_list_that_cannot_be_read_is_told_at_start(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_commands(tmp_path / "missing.yml")


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"

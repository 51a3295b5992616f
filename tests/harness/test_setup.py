"""`make setup` and `make test` on machines that lack something: one line that says what to do, and a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.processes import environment
from tests.fakes.tools import ROOT

ORDINARY = ("cat", "cksum", "dirname", "env", "id", "mktemp", "rm", "sh", "tail")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder for PATH with a bare system's commands: no Python, no apt-get, no sudo."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ORDINARY:
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the set-up scripts read, without a .venv."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(ROOT / "tools", folder / "tools")
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def command(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def run(*parts: str | Path, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**environment(), "PATH": str(path)}
    return subprocess.run(parts, env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_without_python_it_says_which_one_is_needed(checkout: Path, commands: Path):
    done = run(checkout / "tools" / "setup.sh", path=commands, cwd=checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("set-up: Python 3.11 or later is needed")
    assert len(done.stderr.splitlines()) == 1


def test_an_older_python_does_not_count(checkout: Path, commands: Path):
    command(commands, "python3", "exit 1")  # what it answers when asked whether it is new enough
    done = run(checkout / "tools" / "setup.sh", path=commands, cwd=checkout)
    assert done.returncode == 1
    assert "Python 3.11 or later" in done.stderr


def test_a_python_without_venv_names_the_package(checkout: Path, commands: Path):
    asked = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.11;; esac'
    command(commands, "python3.11", asked)
    done = run(checkout / "tools" / "setup.sh", path=commands, cwd=checkout)
    assert done.returncode == 1
    assert done.stderr == "set-up: to make .venv, install python3.11-venv\n"


def test_a_package_that_may_not_be_installed_is_named_with_the_way_round_it(commands: Path):
    command(commands, "apt-get", "exit 100")
    done = run(
        ROOT / "tools" / "apt-install.sh",
        "mariadb-server-core",
        "for the tests",
        "set X",
        path=commands,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert done.stderr == "set-up: for the tests, install mariadb-server-core, or set X\n"


def test_a_set_up_checkout_is_left_as_it_is():
    done = subprocess.run(
        ["make", "setup"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_without_a_database_the_tests_end_with_the_reason(tmp_path: Path):
    suite = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        "tests/harness/test_databases.py",
    ]
    settings = {"RECEIVER_TEST_MARIADBD": os.devnull}
    done = subprocess.run(
        suite, cwd=ROOT, env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no database to test against: RECEIVER_TEST_MARIADBD is /dev/null" in done.stdout + done.stderr

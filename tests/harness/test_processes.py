"""Processes that tests start: waited for by what they do, ended with everything they started."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.fakes.groups import members
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import Process, environment
from tests.fakes.tools import ROOT

WITH_A_CHILD = """
import subprocess
subprocess.Popen(["sleep", "60"])
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
TEST_RUN = """
import time
from pathlib import Path
from tests.fakes.processes import Process
print(Process(["sleep", "60"], folder=Path("inner")).pid, flush=True)
time.sleep(60)
"""


def python(code: str, folder: Path, **options) -> Process:
    return Process([sys.executable, "-c", code], folder=folder, **options)


def test_nothing_of_the_shell_reaches_it(monkeypatch, tmp_path):
    monkeypatch.setenv("RECEIVER_BIND", "0.0.0.0:1")
    with python("import os; print([n for n in os.environ if n.startswith('RECEIVER')])", tmp_path) as process:
        assert process.wait(10) == 0
    assert process.output() == "[]\n"


def test_it_waits_for_http(tmp_path):
    port = free_port()
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with Process(server, folder=tmp_path) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/")
        process.wait_for_http(f"http://127.0.0.1:{port}/missing", status=404)
        assert '"GET /missing HTTP/1.1" 404' in process.output()


def test_a_process_that_ends_too_early_says_what_it_printed(tmp_path):
    process = python("raise SystemExit('no such setting')", tmp_path, name="receiver")
    with process, pytest.raises(AssertionError, match=r"receiver ended \(1\) .*\nno such setting"):
        process.wait_for_output("up")


def test_what_it_started_is_named_while_it_runs_and_ended_with_it(tmp_path):
    with python(WITH_A_CHILD, tmp_path) as process:
        process.wait(10)
        with pytest.raises(AssertionError, match=r"left running:\n[0-9]+ sleep 60"):
            process.assert_nothing_left(timeout=0)
    process.assert_nothing_left()


def test_one_that_ignores_sigterm_is_killed(tmp_path):
    process = python(DEAF, tmp_path)
    process.wait_for_output("up")
    assert process.stop(grace=0.1) == -signal.SIGKILL
    process.assert_nothing_left()


def test_it_ends_when_the_test_run_is_killed(tmp_path):
    with python(TEST_RUN, tmp_path, env=environment({"PYTHONPATH": str(ROOT)})) as run:
        run.wait_until(lambda: run.output().endswith("\n"), 10, "print a pid")
        inner = int(run.output())
        assert members(inner)
        run.kill()
        wait_until(lambda: not members(inner), what="its own process ended")

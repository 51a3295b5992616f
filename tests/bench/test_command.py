"""`receiver-bench` works from wherever it is called."""

from __future__ import annotations

import subprocess

import pytest

from bench.machine import ROOT


def test_the_command_finds_the_bench_of_its_checkout(tmp_path):
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("this checkout has no .venv, which is what the command runs in")
    (tmp_path / "bench.py").write_text("raise SystemExit('not this one')")
    link = tmp_path / "receiver-bench"
    link.symlink_to(ROOT / "tools" / "receiver-bench")
    done = subprocess.run([link, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"compare", "profile"} <= set(done.stdout.split())
    assert done.stdout.startswith("Usage: receiver-bench ")

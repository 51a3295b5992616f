"""The hostile requests of tests/hostile, each with the answer that is right for it."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from faults.kinds.base import Fault
from faults.verdict import Effort, Verdict
from tests.fakes.processes import environment
from tests.fakes.tools import ROOT

FILE = "tests/hostile/test_cases.py"
TIMEOUT_SECONDS = 600.0


def run_hostile_cases(fault: Fault, effort: Effort, folder: Path) -> Verdict:
    """How many there are, and how many did not get their answer."""
    folder.mkdir(parents=True)
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", f"--junitxml={report}", FILE],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    verdict = Verdict(fault)
    if not report.exists():
        verdict.found["hostile"] = [f"pytest failed ({done.returncode}): {done.stdout[-500:]}"]
        return verdict
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - see above
    wrong = [case.get("name", "") for case in cases if case.find("failure") is not None]
    wrong += [case.get("name", "") for case in cases if case.find("error") is not None]
    if wrong:
        verdict.found["hostile"] = wrong
        (folder / "pytest.txt").write_text(done.stdout)
    verdict.figures = {"hostile_cases": float(len(cases)), "hostile_wrong": float(len(wrong))}
    return verdict

"""A figure that misses its goal is marked, a fault that was left out says why, and every fault is named once."""

from __future__ import annotations

import json
from collections import Counter

from click.testing import CliRunner

from faults import cli, report
from faults.checks.registry import CHECKS
from faults.kinds.registry import FAULTS
from faults.run import Verdict


def test_a_missed_goal_is_marked():
    table = report.table([Verdict(FAULTS[0], figures={"lost": 0}), Verdict(FAULTS[1], figures={"lost": 2})])
    (line,) = (line for line in table.splitlines() if "deliveries lost" in line)
    assert " 2 " in line
    assert "missed" in line


def test_a_fault_that_was_left_out_is_no_success_in_silence():
    assert "left out: no tmpfs" in report.line(Verdict(FAULTS[0], left_out="no tmpfs"))


def test_what_a_checker_found_is_told_and_kept(tmp_path):
    verdict = Verdict(FAULTS[0], found={"C1": [f"lost: {number}" for number in range(9)]})
    assert not verdict.is_good
    assert "C1!" in report.line(verdict)
    assert "lost: 0" in report.problems(verdict)[0]
    assert "4 more" in report.problems(verdict)[-1]
    kept = json.loads(report.write([verdict], tmp_path).read_text())
    assert kept["faults"][0]["found"]["C1"][8] == "lost: 8"


def test_names_are_unique_and_listed():
    assert set(Counter(fault.name for fault in FAULTS).values()) == {1}
    assert [check.name for check in CHECKS] == [f"C{number}" for number in range(1, 10)]
    listed = CliRunner().invoke(cli.main, ["--list"])
    assert listed.exit_code == 0
    assert all(fault.name in listed.output and fault.title in listed.output for fault in FAULTS)

"""A figure that misses its goal is marked, a fault that was left out says why, and every fault is named once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from click.testing import CliRunner

from faults import cli, report
from faults.checks.registry import CHECKS
from faults.kinds.registry import FAULTS
from faults.run import run
from faults.verdict import Effort, Verdict


def test_a_missed_goal_is_marked():
    good, bad = {"lost": 0.0, "alerts": 600_000.0}, {"lost": 2.0, "alerts": 400_100.0, "p99_ms": 140.0}
    table = report.table([Verdict(FAULTS[0], figures=good), Verdict(FAULTS[1], figures=bad)])
    (line,) = (line for line in table.splitlines() if "alerts lost" in line)
    assert "2 of 1,000,100" in line
    assert "missed" in line
    (line,) = (line for line in table.splitlines() if "p99" in line)
    assert "140" in line and "missed" not in line


def test_what_was_not_measured_is_not_in_the_table():
    table = report.table([Verdict(FAULTS[0], figures={"p99_ms": 20.0})])
    assert "failover" not in table and "hostile" not in table


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


def test_a_fault_that_breaks_off_is_told_and_the_next_one_has_its_turn(tmp_path):
    def stack(folder, **options):
        folder.mkdir()
        raise ConnectionRefusedError("nobody there")

    verdict = run(replace(FAULTS[0], stack=stack), Effort(), tmp_path)
    assert not verdict.is_good and "no figures" in report.line(verdict)
    assert report.problems(verdict) == ["    unfinished : it broke off: ConnectionRefusedError: nobody there"]
    assert "Traceback" in (tmp_path / FAULTS[0].name / "broken-off.txt").read_text()


def test_names_are_unique_and_listed():
    assert set(Counter(fault.name for fault in FAULTS).values()) == {1}
    assert [check.name for check in CHECKS] == [f"C{number}" for number in range(1, 10)]
    assert any(fault.is_short for fault in FAULTS)
    listed = CliRunner().invoke(cli.main, ["--list"])
    assert listed.exit_code == 0
    assert all(fault.name in listed.output and fault.title in listed.output for fault in FAULTS)


def test_faults_are_chosen_by_name_or_by_pattern():
    def names(*options: str) -> list[str]:
        listed = CliRunner().invoke(cli.main, ["--list", *options])
        assert listed.exit_code == 0, listed.output
        return [line.split()[0] for line in listed.output.splitlines()]

    assert names("--only", "db-*", "--without", "db-d*", "--without", "db-r*") == [
        fault.name for fault in FAULTS if fault.name.startswith("db-") and fault.name[3] not in "dr"
    ]
    assert names("--short") == [fault.name for fault in FAULTS if fault.is_short]
    assert CliRunner().invoke(cli.main, ["--list", "--only", "no-such"]).exit_code == 2

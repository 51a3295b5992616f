"""The crash rounds as a fault of the suite: some lanes beside each other, and their figures together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from faults.kinds.base import Fault
from faults.verdict import Effort, Verdict
from tests.fakes.mariadb import MariaDB
from tests.fakes.processes import environment
from tests.fakes.tools import ROOT

LANES = 3
LEAST_REACHED = 0.5  # of the rounds: else the traps are no traps


def run_rounds(fault: Fault, effort: Effort, folder: Path) -> Verdict:
    """As many rounds as are wanted, and what came out of them."""
    folder.mkdir(parents=True)
    database = MariaDB()
    try:
        each = -(-effort.crash_rounds // LANES)
        lanes = [_start(database, folder / f"lane-{number}", number, each) for number in range(LANES)]
        results = [_result(lane) for lane in lanes]
    finally:
        database.stop()
    return _verdict(fault, results)


def _start(database: MariaDB, folder: Path, number: int, rounds: int) -> subprocess.Popen[str]:
    folder.mkdir()
    url = database.create_database(f"lane_{number}")
    with (folder / "lane.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "faults.rounds.command", url, str(folder), str(rounds)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def _result(lane: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = lane.communicate()
    if lane.returncode != 0:
        return {"found": [f"a lane failed ({lane.returncode}): see lane.log"], "figures": {}, "reached": {}}
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def _verdict(fault: Fault, results: list[dict[str, Any]]) -> Verdict:
    verdict = Verdict(fault)
    total: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    for result in results:
        total.update(result["figures"])
        reached.update(result["reached"])
    found = [text for result in results for text in result["found"]]
    if sum(reached.values()) < LEAST_REACHED * total["crash_rounds"]:
        found.append(f"few workers were where they should have been: {dict(reached)}")
    if found:
        verdict.found["C5"] = found
    verdict.figures = {name: float(value) for name, value in total.items()}
    verdict.figures |= {f"reached_{name}": float(value) for name, value in sorted(reached.items())}
    return verdict

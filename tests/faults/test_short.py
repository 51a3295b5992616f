"""A turn of the fault suite of less than a minute: processes and database are killed under load, and nothing is lost.

The whole of it: `make faults`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.kinds import database, web, workers
from faults.kinds.base import Fault
from faults.run import run
from faults.stack import Stack
from faults.verdict import Effort

EFFORT = Effort(rate=40, calm_seconds=1.5, is_timed=False)


def _everything(stack: Stack, seconds: float) -> None:
    web.kill_web_processes(stack, 4)
    workers.kill_at_points(stack, 10)
    database.kill_and_restart(stack, 1)
    assert stack.cutter is not None
    database.cut_commits(stack, 3)


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_doubled_while_everything_dies(tmp_path: Path) -> None:
    fault = Fault("everything", "everything dies", _everything, 1, lease_seconds=3, cutter=True)
    verdict = run(fault, EFFORT, tmp_path)
    assert verdict.found == {}
    assert verdict.figures["acknowledged"] > 200
    assert verdict.figures["spooled"] > 0
    assert verdict.figures["crashes"] > 2
    assert verdict.figures["messages"] > 10
    assert verdict.figures["actions"] > 2

"""The application host's clock jumps, as its Python sees it. Leases live on the database's clock, which does not.

Not by libfaketime: its clock_nanosleep fails (EINVAL) under Python 3.11, whose time.sleep then raises.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from faults.checks.stored import ORDER_TABLE
from faults.kinds.database import connect
from faults.stack import Stack
from tests.fakes.tools import ROOT

_VARIABLE = "FAULTS_CLOCK"
# An hour ahead, back again, two minutes behind, and right.
_SHIFTS = (3600, 0, -120, 0)
# Ids of alerts rise with the clock of the process that makes them: after a step back they do not tell any more what was
# stored first. So the database counts, from before the first step.
_COUNT = (
    f"CREATE TABLE {ORDER_TABLE.name} (number BIGINT AUTO_INCREMENT PRIMARY KEY,"
    " connection BIGINT NOT NULL, alert CHAR(26) COLLATE utf8mb4_bin NOT NULL)",
    f"CREATE TRIGGER faults_order AFTER INSERT ON grafana_alerts FOR EACH ROW"
    f" INSERT INTO {ORDER_TABLE.name} (connection, alert) VALUES (CONNECTION_ID(), NEW.alert_id)",
)


def variables() -> Mapping[str, str]:
    """What makes a process believe the file."""
    file = Path(tempfile.mkdtemp(prefix="faults-clock-")) / "shift"
    file.write_text("0")
    return {"PYTHONPATH": str(ROOT / "faults" / "clock_shift"), _VARIABLE: str(file)}


def jump(stack: Stack, seconds: float) -> None:
    """Ahead and back under load, and back once more, to before the beginning."""
    with connect(stack) as connection, connection.cursor() as cursor:
        for statement in _COUNT:
            cursor.execute(statement)
    file = Path(stack.variables[_VARIABLE])
    for shift in _SHIFTS:
        stack.note("clock", shift=shift)
        part = file.with_suffix(".new")
        part.write_text(str(shift))
        part.replace(file)
        time.sleep(seconds / len(_SHIFTS))

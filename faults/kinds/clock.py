"""The application host's clock jumps, as its Python sees it. Leases live on the database's clock, which does not.

Not by libfaketime: its clock_nanosleep fails (EINVAL) under Python 3.11, whose time.sleep then raises.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from faults.stack import Stack
from tests.fakes.tools import ROOT

_VARIABLE = "FAULTS_CLOCK"


def variables() -> Mapping[str, str]:
    """What makes a process believe the file."""
    file = Path(tempfile.mkdtemp(prefix="faults-clock-")) / "shift"
    file.write_text("0")
    return {"PYTHONPATH": str(ROOT / "faults" / "clock_shift"), _VARIABLE: str(file)}


def jump(stack: Stack, seconds: float) -> None:
    """An hour ahead, under load, and it stays so.

    Back again is not done under load: ids of alerts rise with the clock of each process, so after a step back the order
    of the stored alerts could not be told, and C3 with it.
    """
    stack.note("clock", step="+3600 s")
    file = Path(stack.variables[_VARIABLE])
    part = file.with_suffix(".new")
    part.write_text("3600")
    part.replace(file)
    time.sleep(seconds)

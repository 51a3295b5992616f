"""A clock that is off, for one process: Python reads this file at its start, if its folder is on PYTHONPATH.

By how many seconds it is off stands in the file that FAULTS_CLOCK names; it may change while the process runs.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import receiver.clock

_LOOK_SECONDS = 0.2

_file = Path(os.environ["FAULTS_CLOCK"])
_real_time, _real_time_ns, _real_now = time.time, time.time_ns, receiver.clock.utc_now
_known = (0.0, -1.0)  # the shift, and when it was read


def _shift() -> float:
    global _known
    now = time.monotonic()
    if now - _known[1] > _LOOK_SECONDS:
        _known = float(_file.read_text()), now
    return _known[0]


def _time() -> float:
    return _real_time() + _shift()


def _time_ns() -> int:
    return _real_time_ns() + int(_shift()) * 10**9


def _now() -> datetime:
    return _real_now() + timedelta(seconds=_shift())


time.time, time.time_ns, receiver.clock.utc_now = _time, _time_ns, _now

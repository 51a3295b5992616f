"""The directory through which the processes of one group share their metrics."""

from __future__ import annotations

import os
from pathlib import Path

# How prometheus_client is told to work that way: https://prometheus.github.io/client_python/multiprocess/
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share(directory: Path) -> None:
    """Make this process, and those that it forks, count in `directory`. Before prometheus_client is imported."""
    directory.mkdir(parents=True, exist_ok=True)
    os.environ[_VARIABLE] = str(directory.absolute())  # noqa: TID251 - written for a library, not read


def keep_to_oneself() -> None:
    """Make this process count in its own memory. Before prometheus_client is imported."""
    os.environ.pop(_VARIABLE, None)  # noqa: TID251 - written for a library, not read


def empty(directory: Path) -> None:
    """Remove the numbers of an earlier run, which would be added to ours. For the owner of the group only."""
    for file in directory.glob("*.db"):
        file.unlink(missing_ok=True)

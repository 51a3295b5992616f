"""What processes take, from Linux' /proc; on other systems there is nothing to tell.

https://man7.org/linux/man-pages/man5/proc.5.html
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process, in megabytes (10^6 bytes)."""

    rss: float  # all that is in memory, shared pages counted in full
    pss: float  # shared pages divided among those who share them
    peak: float  # the highest rss so far

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def memory_of(pid: int) -> Memory | None:
    """The memory of a process; None where the system does not tell."""
    try:
        rollup = _kilobytes(PROC / str(pid) / "smaps_rollup")
        status = _kilobytes(PROC / str(pid) / "status")
    except OSError:
        return None
    return Memory(
        *(
            round(kilobytes * 1024 / 1e6, 1)
            for kilobytes in (rollup.get("Rss", 0), rollup.get("Pss", 0), status.get("VmHWM", 0))
        )
    )


def cpu_seconds_of(pids: Iterable[int]) -> float:
    """User and system time so far of these processes and of those children of theirs that have ended; of one that is
    gone, nothing.
    """
    return sum(_ticks(pid) for pid in pids) / _TICKS


def busy_seconds() -> float:
    """The time that all cores together have been busy, or were taken by the machine's host, since the start."""
    try:
        fields = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def children_of(parent: int) -> list[int]:
    """The processes that this one has started and that still run."""
    pids = [int(folder.name) for folder in PROC.glob("[0-9]*")]
    return [pid for pid in pids if (_stat(pid) or ["", "0"])[1] == str(parent)]


def group_members(group: int) -> list[int]:
    """The processes of a process group, the oldest first."""
    found = []
    for folder in PROC.glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields and int(fields[2]) == group and fields[0] != "Z":
            found.append((int(fields[19]), int(folder.name)))  # start time, process id
    return [pid for _, pid in sorted(found)]


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime


def _stat(pid: int) -> list[str]:
    """The fields after the process's name, which may hold blanks: state, parent, group, ..."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _kilobytes(file: Path) -> dict[str, int]:
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) == 3 and words[2] == "kB"}

"""Who runs in a process group."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path


def members(group: int) -> list[str]:
    """A line (process id, command) for each running process of the group.

    One that has ended, and that its parent has not asked about yet, is not among them.
    """
    found = _from_proc() if Path("/proc/self/stat").exists() else _from_ps()
    running = ((pid, command) for pid, of, state, command in found if of == group and state != "Z")
    return [f"{pid} {command}" for pid, command in running]


def _from_proc() -> Iterator[tuple[int, int, str, str]]:
    # Linux; `ps` is not on every machine. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
        except OSError:  # it ended while we looked
            continue
        yield int(folder.name), int(after_name[2]), after_name[0], command


def _from_ps() -> Iterator[tuple[int, int, str, str]]:
    listing = subprocess.check_output(["ps", "-A", "-o", "pid=,pgid=,stat=,args="], text=True)
    for line in listing.splitlines():
        pid, group, state, *command = line.split(None, 3)
        yield int(pid), int(group), state[0], " ".join(command)


def parent(pid: int) -> int:
    """The process that started this one, or took it over; 0 if there is no such process."""
    try:
        if Path("/proc/self/stat").exists():
            return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        return int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(pid)], text=True))
    except (OSError, subprocess.CalledProcessError):
        return 0


def children(pids: Collection[int]) -> list[int]:
    """Those of these processes that another one of them started. (Ids begin anew at some time: they tell no age.)"""
    return [pid for pid in pids if parent(pid) in pids]

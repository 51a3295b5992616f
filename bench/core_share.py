"""A share of a core for a few processes, by the kernel's control groups: as if they had a small host to themselves.

Needs root. https://docs.kernel.org/scheduler/sched-bwc.html (version 1), https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

CGROUPS = Path("/sys/fs/cgroup")
# Short, so that who has used up his share waits for some milliseconds and not for a tenth of a second.
_PERIOD_MICROSECONDS = 10_000


@contextmanager
def core_share(name: str, share: float, root: Path = CGROUPS) -> Iterator[Path]:
    """A control group whose processes may together use `share` of one core; gone at the end, when they must be, too.

    Raises click.ClickException where that cannot be had.
    """
    quota = int(share * _PERIOD_MICROSECONDS)
    group = _parent(root) / f"receiver-bench-{os.getpid()}-{name}"
    try:
        group.mkdir()
        if _is_version_1(root):
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
    except OSError as error:
        raise click.ClickException(
            f"a share of a core needs root and control groups that may be made: {error}"
        ) from None
    try:
        yield group
    finally:
        group.rmdir()


def confine(group: Path, pids: Iterable[int]) -> None:
    """Move these processes into `group`; what they start from now on belongs to it, too."""
    for pid in pids:
        (group / "cgroup.procs").write_text(str(pid))


def _parent(root: Path) -> Path:
    return root / "cpu" if _is_version_1(root) else root


def _is_version_1(root: Path) -> bool:
    return (root / "cpu").is_dir()

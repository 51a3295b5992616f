"""Shares of a core, as far as files tell; the kernel does the rest."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from bench.core_share import confine, core_share


def told(group: Path) -> dict[str, str]:
    """What was written into the group; the files go, as a real group's do with it."""
    found = {file.name: file.read_text() for file in group.iterdir()}
    for file in group.iterdir():
        file.unlink()
    return found


def test_a_share_is_a_part_of_each_period(tmp_path: Path) -> None:
    with core_share("a", 0.25, tmp_path) as group:
        assert group.parent == tmp_path
        assert told(group) == {"cpu.max": "2500 10000"}
    assert not group.exists()


def test_the_first_version_of_control_groups_has_it_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    with core_share("a", 0.25, tmp_path) as group:
        assert group.parent == tmp_path / "cpu"
        assert told(group) == {"cpu.cfs_period_us": "10000", "cpu.cfs_quota_us": "2500"}


def test_processes_are_moved_into_it(tmp_path: Path) -> None:
    confine(tmp_path, [7])
    assert told(tmp_path) == {"cgroup.procs": "7"}


def test_without_the_right_to_it_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="needs root"), core_share("a", 0.25, tmp_path / "none"):
        pass

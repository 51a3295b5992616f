"""disk.cleanup on a real tree: only old files go, and nothing leads out of the allowed folder."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.clock import utc_now
from receiver.remediation.disk_cleanup import CleanDisk
from receiver.remediation.old_files import DEEPEST
from tests.builders.actions import carry_out, failure_of, order


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "app").mkdir(parents=True)
    for name in ("a.log", "b.log", "keep.txt", "app/c.log"):
        (folder / name).write_text("12345")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious.log").write_text("12345")
    return folder


def known(root: Path, hours_from_now: float = 48):
    """The action, in a world where it is that much later: a file's ctime cannot be set."""
    return {"disk.cleanup": CleanDisk([root], lambda: utc_now() + timedelta(hours=hours_from_now))}


def clean(path: Path, hours: int = 24, **parameters):
    return order("disk.cleanup", {"path": str(path)}, older_than_hours=hours, **parameters)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_old_files_go_and_folders_stay(root):
    result = carry_out(known(root), clean(root))
    assert names(root) == []
    assert (root / "app").is_dir()
    assert result.to_state == {"removed": 4, "bytes": 20, "failed": 0}


def test_young_files_stay(root):
    result = carry_out(known(root, hours_from_now=23), clean(root))
    assert result.output == f"no file in {root} is old enough"
    assert len(names(root)) == 4


def test_a_file_that_was_touched_long_ago_but_put_here_lately_stays(root):
    os.utime(root / "a.log", (0, 0))
    carry_out(known(root, hours_from_now=23), clean(root))
    assert (root / "a.log").exists()


def test_only_files_that_match_the_pattern_go(root):
    carry_out(known(root), clean(root, pattern="*.log"))
    assert names(root) == ["keep.txt"]


def test_no_more_go_than_are_allowed_at_once(root):
    carry_out(known(root), clean(root, most=3))
    assert len(names(root)) == 1


def test_planning_removes_nothing_and_says_how_much_there_is(root):
    plan = known(root)["disk.cleanup"].plan(clean(root))
    assert plan.text == f"remove 4 files in {root} (20 bytes), as a.log"
    assert len(names(root)) == 4


def test_a_file_that_has_been_written_to_since_the_plan_stays(root):
    wanted = clean(root)
    plan = known(root)["disk.cleanup"].plan(wanted)
    files, _ = plan.token
    later = type(plan)(
        plan.text, plan.from_state, plan.to_state, token=(files, (root / "a.log").stat().st_mtime - 1)
    )
    known(root)["disk.cleanup"].run(wanted, later)
    assert len(names(root)) == 4


def test_links_are_neither_followed_nor_removed(root, outside):
    (root / "to-file.log").symlink_to(outside / "precious.log")
    (root / "to-folder").symlink_to(outside)
    (root / "app" / "up").symlink_to(root.parent)
    carry_out(known(root), clean(root))
    assert names(outside) == ["precious.log"]
    assert sorted(path.name for path in root.iterdir()) == ["app", "to-file.log", "to-folder"]


def test_a_path_that_is_a_link_out_of_the_folder_is_refused(root, outside):
    (root / "away").symlink_to(outside)
    failure = failure_of(known(root), clean(root / "away"))
    assert failure.permanent
    assert "cannot be opened without links" in failure.reason
    assert names(outside) == ["precious.log"]


def test_a_folder_that_becomes_a_link_after_the_plan_leads_nowhere(root, outside):
    wanted = clean(root)
    action = known(root)["disk.cleanup"]
    plan = action.plan(wanted)
    (root / "app" / "c.log").rename(outside / "c.log")
    (root / "app").rmdir()
    (root / "app").symlink_to(outside)
    result = action.run(wanted, plan)
    assert result.to_state == {"removed": 3, "bytes": 15, "failed": 1}
    assert names(outside) == ["c.log", "precious.log"]


def test_a_way_up_is_refused_before_anything_is_opened(root, outside):
    (problem,) = known(root)["disk.cleanup"].check(clean(root / ".." / "outside"))
    assert "is not in a folder of RECEIVER_REMEDIATION_PATHS" in problem
    assert failure_of_run(root, outside).permanent
    assert names(outside) == ["precious.log"]


def failure_of_run(root: Path, outside: Path):
    """How it fails for whoever has not checked."""
    action = known(root)["disk.cleanup"]
    action.check = lambda wanted: []
    return failure_of({"disk.cleanup": action}, clean(outside))


@pytest.mark.skipif(
    not Path("/dev/shm").is_mount(), reason="needs a mount within another one: Linux has /dev/shm"
)
def test_another_mount_is_not_entered(tmp_path):
    mark = f"receiver-{os.getpid()}-{tmp_path.name}.log"
    file = Path("/dev/shm") / mark
    file.write_text("12345")
    try:
        plan = known(Path("/dev"))["disk.cleanup"].plan(clean(Path("/dev"), pattern=mark))
        assert plan.is_noop
        failure = failure_of(known(Path("/dev")), clean(Path("/dev/shm"), pattern=mark))
        assert failure.permanent
        assert "is another mount" in failure.reason
        assert file.exists()
    finally:
        file.unlink()


def test_pipes_and_devices_are_not_touched(root):
    os.mkfifo(root / "pipe.log")
    carry_out(known(root), clean(root))
    assert names(root) == ["pipe.log"]


def test_a_tree_without_an_end_is_not_followed_for_ever(root):
    deep = root.joinpath(*["d"] * (DEEPEST + 2))
    deep.mkdir(parents=True)
    (deep / "deep.log").write_text("12345")
    carry_out(known(root), clean(root, pattern="deep.log"))
    assert (deep / "deep.log").exists()


def test_a_folder_that_is_not_there_is_told(root):
    failure = failure_of(known(root), clean(root / "missing"))
    assert failure.permanent
    assert "No such file or directory" in failure.reason

"""The suite finds the release before this one, and its code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from faults.kinds.release import export, release_before
from receiver.storage.migrate import newest_revision


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A history of three commits, of which the second brought the newest migration."""
    root = tmp_path / "checkout"
    versions = root / "migrations" / "versions"
    for folder in (root / "receiver", root / "sql", versions):
        folder.mkdir(parents=True)
    git(root, "init", "-q")
    (versions / "0000_before.py").touch()
    commit(root, "release before")
    (versions / f"{newest_revision()}_newest.py").touch()
    commit(root, "newest")
    (versions / f"{newest_revision()}_newest.py").write_text("# changed\n")
    commit(root, "after it")
    return root


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root: Path, release: str) -> None:
    for folder in ("receiver", "sql"):
        (root / folder / "release.txt").write_text(release)
    git(root, "add", "-A")
    git(root, "commit", "-qm", release)


def test_the_release_before_is_what_the_newest_migration_was_not_in(checkout: Path, tmp_path: Path) -> None:
    found = release_before(checkout)
    assert git(checkout, "log", "-1", "--format=%s", found) == "release before"
    export(found, tmp_path / "tree", checkout)
    assert (tmp_path / "tree" / "receiver" / "release.txt").read_text() == "release before"
    laid = {file.name for file in (tmp_path / "tree" / "migrations" / "versions").iterdir()}
    assert laid == {"0000_before.py"}


def test_without_its_history_there_is_no_release_before(checkout: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{checkout}", "shallow")
    with pytest.raises(subprocess.CalledProcessError):
        release_before(tmp_path / "shallow")

"""`receiver doctor` looks at the folders of this machine: a spool that cannot be used shows before it is needed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from receiver.clock import utc_now
from receiver.config import load
from receiver.domain.delivery import Delivery
from receiver.domain.finding import Level
from receiver.ids import new_trace_id, new_ulid
from receiver.services.folders_check import check_folders
from receiver.storage.spool import FILE, Spool


def found(**settings: Path) -> dict[str, tuple[Level, str]]:
    loaded = load({f"RECEIVER_{name}": str(folder) for name, folder in settings.items()})
    return {one.subject: (one.level, one.text) for one in check_folders(loaded, utc_now())}


def spooled(folder: Path, ago: timedelta = timedelta()) -> Spool:
    spool = Spool(folder, 1_000_000)
    spool.append(
        [Delivery(new_ulid(), new_trace_id(), utc_now() - ago, b"{}", "application/json", {}, "none", False)]
    )
    return spool


def test_folders_that_are_not_there_yet_are_fine_and_are_not_made(tmp_path: Path) -> None:
    spool, archive = tmp_path / "a" / "spool", tmp_path / "b" / "archive"
    assert {level for level, _ in found(SPOOL_DIR=spool, ARCHIVE_DIR=archive).values()} == {Level.OK}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    seen = found(SPOOL_DIR=tmp_path / "file" / "spool", ARCHIVE_DIR=tmp_path / "file")
    assert {level for level, _ in seen.values()} == {Level.BAD}
    assert all(str(tmp_path / "file") in text for _, text in seen.values())


def test_a_spool_that_is_broken_is_bad(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 1000)
    assert found(SPOOL_DIR=tmp_path)["spool"][0] is Level.BAD


@pytest.mark.parametrize(("ago", "level"), [(0, Level.OK), (300, Level.WARN)])
def test_what_has_waited_long_is_told(tmp_path: Path, ago: int, level: Level) -> None:
    spooled(tmp_path, timedelta(seconds=ago))
    seen, text = found(SPOOL_DIR=tmp_path)["spool"]
    assert seen is level and "1 deliveries wait" in text


def test_what_the_database_does_not_take_is_told(tmp_path: Path) -> None:
    spool = spooled(tmp_path)
    spool.set_aside(spool.first(1, 1000)[0], "DataError 1406")
    assert found(SPOOL_DIR=tmp_path)["spool"][0] is Level.WARN


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    level, text = found(ARCHIVE_DIR=tmp_path / "link" / "archive")["archive"]
    assert level is Level.BAD and str(tmp_path / "link") in text

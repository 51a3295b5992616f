"""A spool that is full, broken, unwritable or lost, and what cannot be stored: loud, kept, and nobody is held up."""

from __future__ import annotations

import gc
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from receiver.domain.delivery import Outcome
from receiver.errors import SchemaOutOfDate, SpoolFailed, StorageUnavailable
from receiver.services.acceptance import Acceptance
from receiver.services.drain import LOOK_SECONDS, REFUSALS, Drainer
from receiver.services.intake import Intake
from receiver.storage.migrate import newest_revision
from receiver.storage.spool import FILE, LOCK, Spool
from tests.builders.spool import MEGABYTE, Away, delivery, firing, resolved, stored
from tests.fakes.polling import wait_until
from tests.fixtures.runtimes import RuntimeFactory


def test_a_drainer_that_meets_another_schema_waits_for_the_upgrade(
    engine: Engine, intake: Away, spool: Spool
) -> None:
    intake.away = False
    spool.append([delivery(intake, firing())])
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    try:
        with pytest.raises(SchemaOutOfDate):
            Drainer(intake, spool).drain()
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest_revision()}'")
    assert stored(engine) == [] and spool.depth().deliveries == 1


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (OperationalError("INSERT", {}, Exception("no")), "record"),
        (KeyError("bug"), "record"),
        (KeyError("bug"), "parse"),
    ],
)
def test_a_delivery_that_cannot_be_stored_holds_up_no_other_and_is_kept(
    engine: Engine, make_runtime: RuntimeFactory, spool: Spool, error: Exception, where: str
) -> None:
    class Picky(Intake):
        def parse(self, delivery):
            if where == "parse" and b"poison" in delivery.body:
                raise error
            super().parse(delivery)

        def record(self, batch, *, may_be_stored=False):
            if any(b"poison" in one.body for one in batch):
                raise error
            return super().record(batch, may_be_stored=may_be_stored)

    picky = Picky(make_runtime(engine))
    as_before = Intake(picky._runtime)  # of another release
    spool.append([delivery(as_before, body) for body in (firing("a"), firing("poison"), firing("b"))])
    drainer = Drainer(picky, spool)
    for _ in range(REFUSALS - 1):
        with pytest.raises(StorageUnavailable):
            drainer.drain()
    drainer.drain()
    assert sorted(stored(engine)) == sorted([firing("a"), firing("b")])
    depth = spool.depth()
    assert (depth.deliveries, depth.refused) == (0, 1)
    assert spool.is_empty()  # or all that comes would go there for ever


def test_a_full_spool_refuses_and_what_it_holds_stays(intake: Away, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "small", 200_000)
    door = Acceptance(intake, spool, 1.0)
    padded = firing() + b" " * 5000
    taken = 0
    with suppress(StorageUnavailable):
        while taken < 1000:
            door.accept(delivery(intake, padded))
            taken += 1
    with pytest.raises(StorageUnavailable, match="neither"):
        door.accept(delivery(intake, padded))
    assert 0 < taken < 100
    assert spool.depth().deliveries == taken


def test_a_spool_that_cannot_be_written_is_told_and_the_database_still_serves(
    intake: Away, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    door = Acceptance(intake, Spool(tmp_path / "file", MEGABYTE), 1.0)
    with pytest.raises(StorageUnavailable):
        door.accept(delivery(intake, firing()))
    intake.away = False
    assert door.accept(delivery(intake, firing())).outcome is Outcome.PROCESSED


def test_a_spool_that_can_neither_be_written_nor_emptied_keeps_nobody_from_the_database(
    intake: Away, spool: Spool, door: Acceptance
) -> None:
    door.accept(delivery(intake, firing("a")))
    intake.away = False
    with spool._using() as connection:
        connection.execute("PRAGMA query_only=1")  # as on a disk that went read-only after an error
    with pytest.raises(SpoolFailed):
        Drainer(intake, spool).drain()
    assert door.accept(delivery(intake, firing("b"))).outcome is Outcome.PROCESSED


def test_a_full_spool_that_is_being_emptied_is_waited_for(intake: Away, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "small", 50_000)
    door = Acceptance(intake, spool, 1.0)
    with suppress(StorageUnavailable):
        while True:
            door.accept(delivery(intake, firing() + b" " * 5000))
    intake.away = False
    asked = intake.asked
    with pytest.raises(StorageUnavailable):  # a resolve must not overtake its firing
        door.accept(delivery(intake, resolved() + b" " * 5000))
    assert intake.asked == asked


def test_the_drainer_goes_on_after_a_disk_that_could_not_be_written(
    engine: Engine, intake: Away, spool: Spool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    intake.away = False
    spool.append([delivery(intake, firing())])
    lock = tmp_path / "spool" / LOCK
    lock.mkdir()  # cannot be opened for writing, by root neither
    drainer = Drainer(intake, spool)
    with pytest.raises(SpoolFailed, match="cannot be used"):
        drainer.drain()
    drainer.start()
    try:
        wait_until(lambda: "drain.waits" in caplog.text, 10)
        time.sleep(4 * LOOK_SECONDS)  # time to die of it, or to say it again and again
        assert caplog.text.count("drain.waits") == 1
        lock.rmdir()
        wait_until(spool.is_empty, 10, "the drainer empties the spool")
    finally:
        drainer.stop()
    assert len(stored(engine)) == 1


def test_what_comes_after_somebody_removed_the_file_is_in_the_new_one(
    intake: Away, spool: Spool, tmp_path: Path
) -> None:
    spool.append([delivery(intake, firing("a"))])
    (tmp_path / "spool").rename(tmp_path / "moved away")
    spool.append([delivery(intake, firing("b"))])
    after_a_start = Spool(tmp_path / "spool", MEGABYTE)
    assert [one.delivery.body for one in after_a_start.first(10, MEGABYTE)] == [firing("b")]
    assert Spool(tmp_path / "moved away", MEGABYTE).depth().deliveries == 1


@pytest.mark.parametrize("damage", ["headers = '{'", "received_at = 'soon'", "headers = CAST(x'ff' AS TEXT)"])
def test_a_delivery_that_cannot_be_read_any_more_holds_up_no_other_and_is_kept(
    engine: Engine, intake: Away, spool: Spool, damage: str
) -> None:
    intake.away = False
    spool.append([delivery(intake, firing(name)) for name in "abc"])
    with spool._using() as connection:
        connection.execute(f"UPDATE deliveries SET {damage} WHERE number = 2")
    assert Drainer(intake, spool).drain() == 2
    assert sorted(stored(engine)) == sorted([firing("a"), firing("c")])
    depth = spool.depth()
    assert (depth.deliveries, depth.refused) == (0, 1)


def test_nobody_else_may_read_what_is_in_the_spool(tmp_path: Path, intake: Away) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)  # an administrator's
    spool = Spool(tmp_path / "spool", MEGABYTE)
    spool.append([delivery(intake, firing())])
    files = list((tmp_path / "spool").glob(f"{FILE}*"))
    assert len(files) > 1 and not any(file.stat().st_mode & 0o077 for file in files)


def test_a_broken_file_is_an_error_that_says_so(tmp_path: Path, intake: Away) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / FILE).write_bytes(b"this is no database" * 1000)
    with pytest.raises(SpoolFailed, match="cannot be used"):
        Spool(tmp_path / "spool", MEGABYTE).append([delivery(intake, firing())])


def test_a_spool_to_which_another_process_writes_is_waited_for_and_nobody_goes_past_it(
    engine: Engine, intake: Away, spool: Spool, door: Acceptance, tmp_path: Path
) -> None:
    door.accept(delivery(intake, firing()))
    intake.away = False
    other = sqlite3.connect(tmp_path / "spool" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable):  # a resolve must not overtake its firing
        door.accept(delivery(intake, resolved()))
    other.execute("ROLLBACK")
    other.close()
    assert stored(engine) == []
    assert door.accept(delivery(intake, resolved())).outcome is Outcome.SPOOLED


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_spool_that_was_replaced_or_cannot_be_opened_leaves_no_file_open(tmp_path: Path) -> None:
    gc.disable()  # which would close them, some time
    try:
        before = open_files()
        spool = Spool(tmp_path / "spool", MEGABYTE)
        assert spool.is_empty()
        of_one = open_files() - before
        (tmp_path / "spool").rename(tmp_path / "away")
        assert spool.is_empty()
        assert open_files() - before == of_one
        broken = tmp_path / "broken"
        broken.mkdir()
        (broken / FILE).write_bytes(b"no database" * 1000)
        for _ in range(3):
            with pytest.raises(SpoolFailed):
                Spool(broken, MEGABYTE).is_empty()
        assert open_files() - before == of_one
    finally:
        gc.enable()


def test_a_time_that_the_disk_has_spoiled_does_not_hide_how_much_there_is(
    intake: Away, spool: Spool, tmp_path: Path
) -> None:
    spool.append([delivery(intake, firing())])
    with sqlite3.connect(tmp_path / "spool" / FILE) as connection:
        connection.execute("UPDATE deliveries SET received_at = '2026-99'")
    connection.close()
    assert (spool.depth().deliveries, spool.depth().oldest_received_at) == (1, None)

"""The spool: what the database cannot take is on this machine's disk, and in the database once, in order, later."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from receiver.domain.delivery import Outcome
from receiver.errors import StorageUnavailable
from receiver.services import acceptance
from receiver.services.acceptance import Acceptance
from receiver.services.drain import LARGEST_BATCH, Drainer
from receiver.storage import spool as spools
from receiver.storage.spool import FILE, Spool
from receiver.storage.tables import deliveries, grafana_alerts, incidents
from tests.builders.spool import MEGABYTE, Away, delivery, firing, resolved, stored


def test_a_delivery_survives_the_absence_of_the_database_unchanged(
    engine: Engine, intake: Away, spool: Spool, door: Acceptance
) -> None:
    odd = b'\xff\xfe not json "\x00'
    first, second = delivery(intake, firing()), delivery(intake, odd)
    answer = door.accept(first)
    assert (answer.outcome, answer.as_json()["alerts"]) == (Outcome.SPOOLED, {"received": 1})
    assert door.accept(second).reason is not None
    assert stored(engine) == [] and spool.depth().deliveries == 2
    intake.away = False
    assert Drainer(intake, spool).drain() == 2
    assert sorted(stored(engine)) == sorted([firing(), odd])
    assert spool.depth().deliveries == 0
    with engine.connect() as connection:
        row = (
            connection.execute(select(deliveries).where(deliveries.c.delivery_id == first.delivery_id))
            .mappings()
            .one()
        )
        assert (row["trace_id"], row["credential"], row["headers"]) == (
            first.trace_id,
            "bearer",
            first.headers,
        )
        assert row["received_at"] == first.received_at
        assert connection.execute(select(func.count()).select_from(grafana_alerts)).scalar_one() == 1


def test_nobody_waits_for_the_database_while_something_lies_in_the_spool(
    intake: Away, door: Acceptance
) -> None:
    door.accept(delivery(intake, firing("a")))
    asked = intake.asked
    for name in "bcd":
        assert door.accept(delivery(intake, firing(name))).outcome is Outcome.SPOOLED
    assert intake.asked == asked


def test_the_order_of_arrival_is_kept_when_the_database_is_back_before_the_spool_is_empty(
    engine: Engine, intake: Away, spool: Spool, door: Acceptance
) -> None:
    door.accept(delivery(intake, firing()))
    intake.away = False
    # Stored at once, this would resolve nothing, and what fired before it would then stay open for ever.
    assert door.accept(delivery(intake, resolved())).outcome is Outcome.SPOOLED
    assert Drainer(intake, spool).drain() == 2
    with engine.connect() as connection:
        assert connection.execute(select(incidents.c.status)).scalars().all() == ["resolved"]
    assert door.accept(delivery(intake, firing("b"))).outcome is Outcome.PROCESSED


def test_what_the_database_has_already_is_not_stored_again(
    engine: Engine, intake: Away, spool: Spool
) -> None:
    one = delivery(intake, firing())
    spool.append([one])
    intake.away = False
    intake.record(
        [one]
    )  # its COMMIT came too late for the sender, or a drainer died before it could remove it
    assert Drainer(intake, spool).drain() == 1
    assert len(stored(engine)) == 1
    with engine.connect() as connection:
        assert connection.execute(select(incidents.c.alert_count)).scalars().all() == [1]


def test_a_drainer_that_meets_an_absent_database_loses_nothing(intake: Away, spool: Spool) -> None:
    spool.append([delivery(intake, firing())])
    with pytest.raises(StorageUnavailable):
        Drainer(intake, spool).drain()
    assert spool.depth().deliveries == 1


def test_only_one_process_drains(intake: Away, spool: Spool, tmp_path: Path) -> None:
    intake.away = False
    spool.append([delivery(intake, firing())])
    with Spool(tmp_path / "spool", MEGABYTE).draining() as is_ours:
        assert is_ours
        assert Drainer(intake, spool).drain() == 0
    assert Drainer(intake, spool).drain() == 1


def test_what_is_in_the_spool_is_on_the_disk(tmp_path: Path, intake: Away) -> None:
    spool = Spool(tmp_path / "spool", MEGABYTE)
    spool.append([delivery(intake, firing())])
    with sqlite3.connect(tmp_path / "spool" / FILE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with spool._using() as own:
        assert own.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: each COMMIT waits for the disk


def test_bodies_are_read_in_pieces_that_fit_into_memory(intake: Away, spool: Spool) -> None:
    whole = [delivery(intake, b"x" * 1000) for _ in range(10)]
    spool.append(whole)
    assert len(spool.first(100, 3500)) == 3
    assert len(spool.first(100, 10)) == 1
    assert [one.delivery.delivery_id for one in spool.first(4, MEGABYTE)] == [
        one.delivery_id for one in whole[:4]
    ]


def test_the_same_delivery_may_be_put_in_twice(intake: Away, spool: Spool) -> None:
    one = delivery(intake, firing())
    spool.append([one])
    spool.append([replace(one)])
    assert spool.depth().deliveries == 1


def test_the_log_beside_the_spool_stays_small(tmp_path: Path, intake: Away) -> None:
    spool = Spool(tmp_path / "spool", 10 * MEGABYTE)
    for _ in range(300):
        spool.append([delivery(intake, b"x" * 3000)])
    # Else a small disk is full of it, and what is stored cannot be removed any more.
    assert (tmp_path / "spool" / f"{FILE}-wal").stat().st_size < MEGABYTE


def test_who_comes_while_the_last_of_the_spool_is_stored_waits_for_it_and_goes_on_to_the_database(
    intake: Away, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (acceptance, spools):  # the machine may be busy
        monkeypatch.setattr(module, "HANDOVER_SECONDS", 30.0)
    door = Acceptance(intake, spool, 60.0)
    # Else a spool into which as much comes as is drained would never be empty again.
    spool.append([delivery(intake, firing("a")), delivery(intake, firing("b"))])
    intake.away = False
    spool.hand_over()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(door.accept, delivery(intake, resolved("a")))
        assert Drainer(intake, spool).drain() == 2
        assert answer.result().outcome is Outcome.PROCESSED
        assert answer.result().as_json()["alerts"] == {"received": 1, "resolved": 1}
    assert not spool.is_handing_over()


def test_nobody_waits_long_for_a_handover_that_comes_to_no_end(
    intake: Away, spool: Spool, door: Acceptance
) -> None:
    spool.append([delivery(intake, firing())])
    spool.hand_over()
    asked = intake.asked
    assert door.accept(delivery(intake, resolved())).outcome is Outcome.SPOOLED
    assert intake.asked == asked
    assert not spool.is_handing_over()


def test_a_drainer_that_has_caught_up_asks_for_the_handover(intake: Away, spool: Spool) -> None:
    intake.away = False
    asked: list[int] = []

    class Watched(Spool):
        def hand_over(self) -> None:
            asked.append(self.depth().deliveries)
            super().hand_over()

    watched = Watched(spool._folder, 10 * MEGABYTE)
    watched.append([delivery(intake, firing(f"n{number}")) for number in range(LARGEST_BATCH + 5)])
    assert Drainer(intake, watched).drain() == LARGEST_BATCH + 5
    assert asked == [5]
    assert not watched.is_handing_over()

"""Who holds an incident's row holds up the alerts of that incident, in the spool, and of no other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from receiver.domain.delivery import Delivery
from receiver.ids import new_trace_id
from receiver.services import drain
from receiver.services.drain import Drainer
from receiver.services.intake import Intake
from receiver.storage.row_locks import held_keys
from receiver.storage.spool import Spool, Spooled
from receiver.storage.tables import deliveries, incidents
from tests.builders import bodies
from tests.fakes.polling import wait_until
from tests.fixtures.runtimes import RuntimeFactory


@pytest.fixture
def intake(mysql_engine: Engine, make_runtime: RuntimeFactory) -> Intake:
    return Intake(make_runtime(mysql_engine))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 10_000_000)


def about(intake: Intake, *services: str, status: str = "firing") -> Delivery:
    alerts = [bodies.alert("CpuHigh", status=status, service=service) for service in services]
    return intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id())


@contextmanager
def held(engine: Engine, service: str) -> Iterator[None]:
    """A stranger's transaction that holds the row of the service's incident."""
    with engine.connect() as stranger:
        row = select(incidents.c.incident_id).where(incidents.c.service == service).with_for_update()
        assert stranger.execute(row).all()
        yield
        stranger.rollback()


def stored(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(select(deliveries.c.delivery_id)).scalars())


def statuses(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(incidents.c.service, incidents.c.status)).all()
        return {service: status.value for service, status in rows}


def test_the_alerts_of_others_are_not_held_up(mysql_engine: Engine, intake: Intake, spool: Spool) -> None:
    intake.record([about(intake, "held"), about(intake, "free")])
    waits, passes = about(intake, "held", status="resolved"), about(intake, "free", status="resolved")
    spool.append([waits, passes])
    drainer = Drainer(intake, spool)
    with held(mysql_engine, "held"):
        assert drainer.drain() == 1
        assert statuses(mysql_engine) == {"held": "active", "free": "resolved"}
        later = about(intake, "new")
        spool.append([later])
        assert drainer.drain() == 1
        assert {passes.delivery_id, later.delivery_id} <= stored(mysql_engine)
        assert spool.depth().deliveries == 1
    assert drainer.drain() == 1
    assert statuses(mysql_engine) == {"held": "resolved", "free": "resolved", "new": "active"}
    assert spool.is_empty()


def test_a_lock_of_some_milliseconds_is_waited_for(
    mysql_engine: Engine, intake: Intake, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    def watched(connection: Connection, keys: Collection[str]) -> set[str]:
        seen.append(held_keys(connection, keys))
        return seen[-1]

    monkeypatch.setattr(drain, "held_keys", watched)
    intake.record([about(intake, "held")])
    spool.append([about(intake, "held", status="resolved")])
    with ThreadPoolExecutor(1) as pool, held(mysql_engine, "held"):
        drained = pool.submit(Drainer(intake, spool).drain)
        wait_until(lambda: bool(seen))
    assert drained.result() == 1
    assert len(seen[0]) == 1 and seen[-1] == set()
    assert spool.is_empty()


def test_what_touches_an_incident_that_waits_does_not_overtake(
    mysql_engine: Engine, intake: Intake, spool: Spool
) -> None:
    intake.record([about(intake, "held")])
    # The firing of `a` waits for `held`, its resolve for the firing, and the firing of `b` for that: what would be
    # stored too early would resolve nothing, or open what is over already.
    first = [about(intake, "held", "a"), about(intake, "a", "b", status="resolved")]
    second = [about(intake, "b"), about(intake, "free")]
    drainer = Drainer(intake, spool)
    with held(mysql_engine, "held"):
        spool.append(first)
        assert drainer.drain() == 0
        spool.append(second)
        assert drainer.drain() == 1
        assert statuses(mysql_engine) == {"held": "active", "free": "active"}
    assert drainer.drain() == 3
    assert statuses(mysql_engine) == {"held": "active", "a": "resolved", "free": "active"}


def test_what_is_free_again_is_stored_also_while_more_keeps_coming(
    mysql_engine: Engine, intake: Intake, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the spool is not reached then: as one is taken out another one comes."""
    monkeypatch.setattr(drain, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(drain, "LARGEST_BATCH", 1)
    intake.record([about(intake, "held")])
    waits, let_go, removed = about(intake, "held", status="resolved"), ExitStack(), 0

    class Busy(Spool):
        def remove(self, spooled: Sequence[Spooled]) -> None:
            nonlocal removed
            removed += 1
            super().remove(spooled)
            if removed == 3:
                let_go.close()
            if waits.delivery_id not in stored(mysql_engine) and removed < 50:
                self.append([about(intake, "free")])

    busy = Busy(spool._folder, 10_000_000)
    busy.append([waits, about(intake, "free")])
    with let_go:
        let_go.enter_context(held(mysql_engine, "held"))
        Drainer(intake, busy).drain()
    assert statuses(mysql_engine)["held"] == "resolved"
    assert removed < 10


def test_another_drainer_goes_on_where_the_first_one_was(
    mysql_engine: Engine, intake: Intake, spool: Spool
) -> None:
    intake.record([about(intake, "held")])
    spool.append([about(intake, "held", status="resolved")])
    first, second = Drainer(intake, spool), Drainer(intake, spool)
    with held(mysql_engine, "held"):
        assert first.drain() == second.drain() == 0
    assert second.drain() == 1
    spool.append([about(intake, "held"), about(intake, "free")])
    assert first.drain() == 2


def test_asking_who_holds_what_leaves_no_lock(mysql_engine: Engine, intake: Intake) -> None:
    intake.record([about(intake, "one"), about(intake, "two")])
    with mysql_engine.connect() as connection:
        keys = set(connection.execute(select(incidents.c.incident_key)).scalars())
        connection.rollback()
        with held(mysql_engine, "one"):
            found = held_keys(connection, keys)
            connection.rollback()
        assert len(found) == 1
        assert held_keys(connection, keys | {"never seen"}) == set()
        connection.rollback()

"""While the database is away or hangs, senders get their 200, and nothing of it is lost or doubled afterwards (I1)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, func, make_url, select

from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from receiver.storage.tables import deliveries, incidents
from tests.builders import bodies
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment
from tests.fakes.relay import Relay
from tests.fakes.valve import Valve

SENDERS = 8


class Web:
    """`receiver serve`, asked over HTTP."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        settings = {"RECEIVER_DATABASE_URL": database_url, "RECEIVER_BIND": self.url.removeprefix("http://")}
        self._command: list[str | Path] = [BIN / "receiver", "serve"]
        self._folder, self._environment = folder, environment(settings)
        self.process = self._start()

    def _start(self) -> Process:
        process = Process(self._command, folder=self._folder, env=self._environment, name="serve")
        process.wait_for_http(f"{self.url}/livez", timeout=40)
        return process

    def kill_all(self) -> None:
        """SIGKILL for every process of it, and a new start."""
        self.process.kill()
        self.process.stop()
        self.process = self._start()

    def post(self, number: int) -> dict[str, Any]:
        """Post one alert and return the receipt; each number is an alert and a service of its own."""
        body = bodies.alertmanager([bodies.alert(service=f"svc-{number}")])
        answer = requests.post(f"{self.url}/api/v1/webhooks/alertmanager", data=body, timeout=10)
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    def post_many(self, numbers: range) -> list[dict[str, Any]]:
        """The same for each of `numbers`, several at a time."""
        with ThreadPoolExecutor(SENDERS) as pool:
            return list(pool.map(self.post, numbers))

    def health(self) -> tuple[int, dict[str, Any]]:
        """What /health says."""
        answer = requests.get(f"{self.url}/health", timeout=10)
        return answer.status_code, answer.json()


@contextmanager
def serving(folder: Path, database_url: str) -> Iterator[Web]:
    web = Web(folder, database_url)
    try:
        yield web
    finally:
        web.process.stop()


@pytest.fixture
def engine(mysql_database_url: str) -> Iterator[Engine]:
    made = create_engine(mysql_database_url)
    upgrade(made)
    yield made
    made.dispose()


def through(url: str, port: int) -> str:
    """`url` by way of `port`."""
    return make_url(url).set(port=port).render_as_string(hide_password=False)


def port_of(url: str) -> int:
    port = make_url(url).port
    assert port is not None
    return port


def ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(deliveries.c.delivery_id)).scalars())


def test_a_database_that_hangs_holds_up_no_sender(
    tmp_path: Path, mysql_database_url: str, engine: Engine
) -> None:
    with (
        Valve(port_of(mysql_database_url)) as valve,
        serving(tmp_path, through(mysql_database_url, valve.port)) as web,
    ):
        assert {one["outcome"] for one in web.post_many(range(10))} == {"processed"}
        valve.shut()
        receipts = web.post_many(range(10, 60))
        assert {one["outcome"] for one in receipts} == {"spooled"}
        assert receipts[0]["alerts"] == {"received": 1}
        status, health = web.health()
        assert (status, health["database"]) == (503, "disconnected")
        assert health["spool"]["deliveries"] >= 50
        assert requests.get(f"{web.url}/readyz", timeout=10).status_code == 200
        assert requests.get(f"{web.url}/livez", timeout=10).status_code == 200
        valve.open()
        wait_until(lambda: web.health()[1]["spool"]["deliveries"] == 0, 60, "an empty spool")
        assert {one["outcome"] for one in web.post_many(range(60, 70))} == {"processed"}
    # What hung in the middle of its COMMIT may have been stored by it, and came from the spool again.
    found = ids(engine)
    assert len(found) == len(set(found)) == 70
    assert {one["delivery_id"] for one in receipts} <= set(found)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(incidents)).scalar_one() == 70
        assert connection.execute(select(func.sum(incidents.c.alert_count))).scalar_one() == 70


def test_what_is_spooled_survives_the_death_of_every_process(
    tmp_path: Path, mysql_database_url: str, engine: Engine
) -> None:
    with (
        Relay(port_of(mysql_database_url)) as relay,
        serving(tmp_path, through(mysql_database_url, relay.port)) as web,
    ):
        first = web.post_many(range(10))
        relay.cut()
        spooled = web.post_many(range(10, 40))
        web.kill_all()  # and it starts again although there is no database
        spooled += web.post_many(range(40, 60))
        assert {one["outcome"] for one in spooled} == {"spooled"}
        assert web.health()[1]["spool"]["deliveries"] == 50
        relay.mend()
        wait_until(lambda: web.health()[1]["spool"]["deliveries"] == 0, 60, "an empty spool")
    found = ids(engine)
    assert sorted(found) == sorted(one["delivery_id"] for one in first + spooled)


def test_a_drainer_that_is_killed_in_mid_work_stores_nothing_twice(
    tmp_path: Path, mysql_database_url: str, engine: Engine
) -> None:
    with (
        Relay(port_of(mysql_database_url)) as relay,
        serving(tmp_path, through(mysql_database_url, relay.port)) as web,
    ):
        web.post(0)
        relay.cut()
        spooled = web.post_many(range(1, 400))
        relay.mend()
        # Kill it once some are stored and others are not, a few times over.
        for part in (50, 150, 250):
            wait_until(lambda part=part: len(ids(engine)) > part, 60)  # type: ignore[misc]  # a default of a lambda
            web.kill_all()
        wait_until(lambda: web.health()[1]["spool"]["deliveries"] == 0, 60, "an empty spool")
    found = ids(engine)
    assert len(found) == len(set(found)) == 400
    assert {one["delivery_id"] for one in spooled} <= set(found)
    with engine.connect() as connection:
        assert connection.execute(select(func.sum(incidents.c.alert_count))).scalar_one() == 400


def test_sigterm_is_heard_while_the_database_hangs(
    tmp_path: Path, mysql_database_url: str, engine: Engine
) -> None:
    with (
        Valve(port_of(mysql_database_url)) as valve,
        serving(tmp_path, through(mysql_database_url, valve.port)) as web,
    ):
        web.post(1)
        valve.shut()
        assert web.post(2)["outcome"] == "spooled"
        web.process.send(signal.SIGTERM)
        assert web.process.wait(timeout=40) == 0
    assert len(ids(engine)) == 1  # the other one is on the disk: the next start drains it

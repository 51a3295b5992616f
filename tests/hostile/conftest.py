"""One `receiver serve` over MariaDB for all hostile cases of a test process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from receiver.storage.tables import deliveries
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment
from tests.fixtures import databases
from tests.hostile import wire


class Target:
    """The receiver under attack, its log, and its database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.port = free_port()
        self.engine: Engine = create_engine(database_url, pool_size=2)
        upgrade(self.engine)
        settings = {
            "DATABASE_URL": database_url,
            "BIND": f"127.0.0.1:{self.port}",
            "WEBHOOK_TOKEN": wire.TOKEN,
            "WEBHOOK_BASIC": wire.BASIC,
            "WEBHOOK_HMAC_SECRET": wire.HMAC_SECRET,
            "WEBHOOK_HMAC_TIMESTAMP_HEADER": wire.TIMESTAMP_HEADER,
        }
        env = environment({f"RECEIVER_{name}": value for name, value in settings.items()})
        self.process = Process([BIN / "receiver", "serve"], folder=folder, env=env, name="serve")
        try:
            self.process.wait_for_http(f"http://127.0.0.1:{self.port}/readyz", timeout=40)
        except BaseException:
            self.close()
            raise
        self.workers = self.members()

    def members(self) -> set[str]:
        """Its processes, by id."""
        return {line.partition(" ")[0] for line in self.process.members()}

    def stored(self, delivery_id: str) -> bytes:
        """The body that the database holds of one delivery, once it came out of the spool if it went there."""
        question = select(deliveries.c.body).where(deliveries.c.delivery_id == delivery_id)
        found: list[bytes] = []

        def is_there() -> bool:
            with self.engine.connect() as connection:
                found.extend(bytes(body) for body in connection.execute(question).scalars())
            return bool(found)

        wait_until(is_there, 30, f"delivery {delivery_id} stored")
        return found[0]

    def count(self) -> int:
        """How many deliveries there are."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(deliveries)).scalar_one())

    def close(self) -> None:
        """End the process and the connections."""
        self.process.stop()
        self.engine.dispose()


@pytest.fixture(scope="package")
def target(mysql_url: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with databases._databases(mysql_url, worker_id) as create:
        found = Target(tmp_path_factory.mktemp("hostile"), create())
        try:
            yield found
        finally:
            found.close()

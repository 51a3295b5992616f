"""Where runs keep their data: a MariaDB server of our own, set up as in production, or SQLite files. Each run has a
database to itself, so that it finds empty tables whatever ran before.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import sqlalchemy
from sqlalchemy import Connection

from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from tests.fakes.mariadb import MariaDB

# The defaults (96 MB of log) are for small machines: a storm would fill the log, and the server stop to empty it.
# Memory that a server has never used costs a page fault for every 4 kB, a tenth of its work in a short run; one that
# has run for a day has them all. Locked memory is in place from the start (mlockall: as root only).
_LIKE_PRODUCTION = {"innodb_buffer_pool_size": 2**30, "innodb_log_file_size": 2**30}
_TOLD = ("innodb_flush_log_at_trx_commit", "log_bin", "sync_binlog", "locked_in_memory", *_LIKE_PRODUCTION)
_COUNTED = ("Questions", "Com_commit")


class Database(Protocol):
    """One kind of database."""

    @property
    def version(self) -> str:
        """Which release it is."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What about it matters for speed."""

    def create(self) -> str:
        """The URL of a new, migrated, empty database."""

    def drop(self, url: str) -> None:
        """Remove it with all that is in it."""

    def pids(self) -> list[int]:
        """The server's processes; none where there is no server."""

    def counters(self) -> dict[str, int]:
        """What the server has counted so far, by the names of SHOW GLOBAL STATUS; none where there is no server."""

    def stop(self) -> None:
        """End the server, if there is one."""


class MariaDBServer:
    """A private server that flushes at each COMMIT. `binlog`: the binary log is on, and flushed as well."""

    def __init__(self, *, binlog: bool = False) -> None:
        sizes = [f"--{name}={value}" for name, value in _LIKE_PRODUCTION.items()]
        self._server = MariaDB(binlog=binlog, durable=True, options=[*sizes, "--memlock"])
        self._numbers = itertools.count(1)
        try:
            with self._administration() as connection:
                self.version = str(_variable(connection, "version"))
                self.settings = {name: str(_variable(connection, name)) for name in _TOLD}
                self._pid = int(Path(str(_variable(connection, "pid_file"))).read_text())
        except BaseException:
            self.stop()
            raise

    def create(self) -> str:
        url = self._server.create_database(f"bench_{next(self._numbers)}")
        migrate(url)
        return url

    def drop(self, url: str) -> None:
        with self._administration() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {sqlalchemy.make_url(url).database}")

    def pids(self) -> list[int]:
        return [self._pid]

    def counters(self) -> dict[str, int]:
        with self._administration() as connection:
            names = ", ".join(f"'{name}'" for name in _COUNTED)
            rows = connection.exec_driver_sql(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})").all()
        return {str(name): int(count) for name, count in rows}

    def stop(self) -> None:
        self._server.stop()

    def _administration(self) -> Connection:
        engine = sqlalchemy.create_engine(
            self._server.url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )
        return engine.connect()


class SQLiteFiles:
    """Files in `folder`, on the same disk as a server's data would be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self.version = sqlite3.sqlite_version
        self.settings = {"journal_mode": "WAL", "synchronous": "FULL"}  # as the receiver sets them

    def create(self) -> str:
        url = f"sqlite:///{self._folder}/bench-{next(self._numbers)}.db"
        migrate(url)
        return url

    def drop(self, url: str) -> None:
        file = Path(str(sqlalchemy.make_url(url).database))
        for part in file.parent.glob(f"{file.name}*"):
            part.unlink()

    def pids(self) -> list[int]:
        return []  # it runs inside the receiver

    def counters(self) -> dict[str, int]:
        return {}

    def stop(self) -> None:
        pass


class Databases:
    """The databases of a series by name, each started when it is first asked for."""

    def __init__(self, folder: Path, *, binlog: bool = False) -> None:
        self._makers: dict[str, Callable[[], Database]] = {
            "mariadb": lambda: MariaDBServer(binlog=binlog),
            "sqlite": lambda: SQLiteFiles(folder),
        }
        self.started: dict[str, Database] = {}

    def get(self, name: str) -> Database:
        """The database of this name, running."""
        if name not in self.started:
            self.started[name] = self._makers[name]()
        return self.started[name]

    def stop(self) -> None:
        """End all servers."""
        for database in self.started.values():
            database.stop()


def migrate(url: str) -> None:
    """What `receiver db upgrade` does."""
    engine = create_engine(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _variable(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"SELECT @@{name}").scalar_one()

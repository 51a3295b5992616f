"""A MariaDB server of our own: own data, own port on 127.0.0.1, gone when we are. Never the system's server.

`python -m tests.fakes.mariadb [--binlog]` runs one in the foreground and prints the URL of an empty database.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import pymysql

from tests.fakes import tools
from tests.fakes.ports import free_port
from tests.fakes.processes import Process

_SETTINGS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--max-connections=300",
    "--innodb-buffer-pool-size=256M",
    "--performance-schema=OFF",
)
# What the distribution's own installer script runs, in its order.
_SYSTEM_SQL = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)
# Root comes in by the socket only, and nobody without a name.
_BEFORE_SYSTEM_SQL = """
CREATE DATABASE mysql;
USE mysql;
SET @auth_root_socket='root', @skip_auth_anonymous=1;
"""
_USER = "receiver"


class MariaDB:
    """A running server. `binlog`: the binary log is on, as in production; `durable`: flush at each commit.

    `place`: the folder in which its own folder is made. `options`: more of the server's command line; they overrule
    ours. It can be killed and started again over the same data.
    """

    def __init__(
        self,
        *,
        binlog: bool = False,
        durable: bool = True,
        place: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self._program = tools.require("mariadbd")
        self._folder = Path(tempfile.mkdtemp(prefix="mariadb-", dir=place or scratch()))
        self.port = free_port()
        self._password = secrets.token_hex(8)
        self._binlog, self._durable, self._options = binlog, durable, options
        try:
            shutil.copytree(template(self._program), self._folder / "data")
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self, timeout: float = 60) -> None:
        """Start the server, over the data that it has; returns when it takes connections."""
        self._process = self._start(self._program, binlog=self._binlog, durable=self._durable)
        self._process.wait_until(self._answers, timeout=timeout, what="take connections")

    def kill(self) -> None:
        """SIGKILL; the data stays, and `start` has the server recover from it."""
        self._process.kill()
        self._process.stop()

    def shut_down(self) -> None:
        """An operator's clean stop; the data stays."""
        self._process.stop(grace=60)

    def send(self, number: signal.Signals) -> None:
        """A signal for the server."""
        self._process.send(number)

    def returncode(self) -> int | None:
        """Its exit status (negative: the signal that ended it), None while it runs."""
        return self._process.returncode()

    def last_words(self) -> str:
        """The end of its log."""
        return self._process.output()[-2000:]

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the server, for a user who may do everything there; without a database."""
        return f"mysql+pymysql://{_USER}:{self._password}@127.0.0.1:{self.port}/"

    def create_database(self, name: str) -> str:
        """Creates an empty database with the server's defaults; its URL."""
        connection = self._connect()
        try:
            connection.cursor().execute(f"CREATE DATABASE `{name}`")
        finally:
            connection.close()
        return self.url + name

    def stop(self) -> None:
        """Ends the server and removes its data. May be called again."""
        if hasattr(self, "_process"):
            self._process.stop(grace=30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, program: Path, *, binlog: bool, durable: bool) -> Process:
        account = f"'{_USER}'@'127.0.0.1'"
        grants = self._folder / "grants.sql"
        grants.write_text(
            f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION;\n"
        )
        files = self._folder / "files"
        files.mkdir(exist_ok=True)
        temporary = self._folder / "tmp"
        temporary.mkdir(exist_ok=True)
        options = [
            f"--datadir={self._folder / 'data'}",
            f"--init-file={grants}",
            f"--port={self.port}",
            "--socket=server.sock",  # in the data directory: absolute paths may be too long for a socket
            f"--pid-file={self._folder / 'pid'}",
            f"--tmpdir={temporary}",  # not /tmp: a server that starts removes what others have there
            f"--secure-file-priv={files}",  # an empty folder: no statement reads or writes files elsewhere
            f"--innodb-flush-log-at-trx-commit={1 if durable else 2}",
            *(["--log-bin=binlog", "--server-id=1", "--sync-binlog=1"] if binlog else []),
            *self._options,
        ]
        return Process(
            [program, *_SETTINGS, *as_user(), *options], folder=self._folder, name="mariadbd", remove=True
        )

    def _connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=_USER, password=self._password, connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except pymysql.err.OperationalError:
            return False
        return True


def scratch() -> Path:
    """Where servers of the tests may have their folders."""
    tools.SCRATCH.mkdir(parents=True, exist_ok=True)
    return tools.SCRATCH


def as_user() -> list[str]:
    """The option without which the server does not run as root."""
    # The server refuses to run as root unless it is told to.
    return ["--user=root"] if os.geteuid() == 0 else []


def template(program: Path) -> Path:
    """An initialised data directory for this very server, made once and copied from then on."""
    version = subprocess.run([program, "--version"], capture_output=True, check=True).stdout
    ready = scratch() / f"mariadb-template-{hashlib.sha256(version).hexdigest()[:12]}"
    if not ready.exists():
        part = Path(tempfile.mkdtemp(prefix="mariadb-part-", dir=scratch()))
        _initialise(program, part)
        try:
            part.rename(ready)
        except OSError:  # another test run was faster, and its directory is as good
            shutil.rmtree(part)
    return ready


def _initialise(program: Path, data: Path) -> None:
    # The distribution's script for this needs the client package; the server alone can do it as well.
    share = _share(program)
    statements = [_BEFORE_SYSTEM_SQL]
    for name in _SYSTEM_SQL:
        lines = (share / name).read_text(encoding="utf-8").splitlines()
        statements += [line for line in lines if "@current_hostname" not in line]
    made = subprocess.run(
        [program, "--no-defaults", *as_user(), "--bootstrap", f"--datadir={data}", "--skip-log-bin"],
        input="\n".join([*statements, ""]),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise RuntimeError(f"{program} could not initialise {data}:\n{made.stderr[-2000:]}")


def _share(program: Path) -> Path:
    """The folder with the server's own SQL files."""
    settings = subprocess.run(
        [program, "--no-defaults", "--verbose", "--help"], capture_output=True, text=True, check=True
    ).stdout
    line = next(line for line in settings.splitlines() if line.startswith("character-sets-dir"))
    return Path(line.split(None, 1)[1].strip()).parent


def main() -> None:
    parser = argparse.ArgumentParser(description="A private MariaDB in the foreground; Ctrl-C ends it.")
    parser.add_argument("--binlog", action="store_true", help="with the binary log on")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = MariaDB(binlog=parser.parse_args().binlog)
    try:
        print(server.create_database("receiver"), flush=True)
        ended.wait()
    finally:
        server.stop()


if __name__ == "__main__":
    main()

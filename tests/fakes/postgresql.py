"""A PostgreSQL server of our own: own data, own port on 127.0.0.1, gone when we are. Never the system's server."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.fakes import tools
from tests.fakes.ports import free_port
from tests.fakes.processes import Process, environment

_USER = "receiver"
_SMALL = ("fsync=off", "full_page_writes=off", "max_connections=40", "shared_buffers=16MB")


class PostgreSQL:
    """A running server with one database, whose user may do everything there. `settings`: of the server, name=value;
    those by default are for tests, where nothing has to survive.
    """

    def __init__(self, settings: Sequence[str] = _SMALL) -> None:
        program = tools.require("postgres")
        # In the system's folder for such things: the server does not run as root, and its user must get there.
        self._folder = Path(tempfile.mkdtemp(prefix="receiver-postgresql-"))
        self.port = free_port()
        self._password = secrets.token_hex(8)
        try:
            data = self._initialise(program)
            options = [word for one in settings for word in ("-c", one)]
            # A socket in the data folder: the default place may not be ours to write to.
            place = ["-D", str(data), "-p", str(self.port), "-c", f"unix_socket_directories={data}"]
            self._process = Process(
                [*_as_user(), program, *place, "-c", "listen_addresses=127.0.0.1", *options],
                folder=self._folder,
                env=_environment(),
                name="postgres",
                remove=True,
            )
            self.pid = self._process.pid
            self._process.wait_until(self._answers, timeout=60, what="take connections")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """postgresql://user:password@127.0.0.1:port/postgres."""
        return f"postgresql://{_USER}:{self._password}@127.0.0.1:{self.port}/postgres"

    def connect(self, **options: str) -> psycopg.Connection[tuple[object, ...]]:
        """A client's connection, as its owner opened it: with autocommit."""
        return psycopg.connect(self.url, connect_timeout=5, autocommit=True, **options)  # type: ignore[arg-type] # options are keywords of libpq

    def stop(self) -> None:
        """Ends the server and removes its data. May be called again."""
        if hasattr(self, "_process"):
            self._process.stop(grace=10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self, program: Path) -> Path:
        data, words = self._folder / "data", self._folder / "password"
        words.write_text(self._password)
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            for path in (self._folder, words):
                os.chown(path, user.pw_uid, user.pw_gid)
        # Debian keeps the server's programs together; where PATH led to is only a link to them.
        command = [
            str(program.resolve().parent / "initdb"),
            "-D",
            str(data),
            "-U",
            _USER,
            f"--pwfile={words}",
        ]
        made = subprocess.run(
            [*_as_user(), *command, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=_environment(),
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb could not make {data}:\n{made.stderr[-2000:]}")
        return data

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def _environment() -> dict[str, str]:
    """With the libraries of a server that was only unpacked."""
    libraries = [str(place) for place in (tools.ROOT / "var" / "tools").glob("libpq5/usr/lib/*")]
    return environment({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {})


def _as_user() -> list[str]:
    """What runs a command as nobody, if we are root: as root the server refuses to run."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

"""Alerta (https://docs.alerta.io) under the same load: its server from PyPI in an environment of its own, a private
PostgreSQL that flushes at each COMMIT, gunicorn with four workers, and no authentication, which only helps it.

It takes Alertmanager's bodies at /webhooks/prometheus, and de-duplicates by environment, resource (`instance`) and
event (`alertname`): what is new to the receiver in the bench's bodies is new to it as well.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from bench.bodies import Requests
from bench.machine import ROOT
from bench.proc import children_of
from bench.proof import ProofFailed
from bench.run import Effort, Run, put_under_load
from bench.scenarios import Scenario
from tests.fakes.ports import free_port
from tests.fakes.postgresql import PostgreSQL
from tests.fakes.processes import Process, environment

_PINS = ROOT / "bench" / "alerta.txt"
_ENVIRONMENT = ROOT / "var" / "tools" / "alerta"
_PATH = "/webhooks/prometheus"
_CREATED = 201
_WORKERS = 4
_READY_SECONDS = 60.0
_INSTALL_SECONDS = 600.0
# As the private MariaDB is set up: enough memory, flushes, room in the log.
_LIKE_PRODUCTION = ("shared_buffers=1GB", "max_wal_size=2GB", "max_connections=100")


class Alerta:
    """Alerta over a private PostgreSQL, for as many runs as there are."""

    name = "Alerta"

    def __init__(self, folder: Path) -> None:
        """Install it if need be (pip, a minute), and start the database.

        Raises RuntimeError with pip's words where it cannot be installed, MissingTool without a PostgreSQL.
        """
        self._programs = installed()
        self._postgresql = PostgreSQL(_LIKE_PRODUCTION)
        self._numbers = itertools.count(1)
        with self._postgresql.connect() as connection:
            release = str((connection.execute("SHOW server_version").fetchone() or ("?",))[0])
        self.settings: Mapping[str, str] = {
            **{name: pin for name, pin in pins().items() if name in ("alerta-server", "gunicorn")},
            "workers": str(_WORKERS),
            "postgresql": release,
            **dict(setting.split("=") for setting in _LIKE_PRODUCTION),
        }

    def run(self, scenario: Scenario, effort: Effort, folder: Path) -> Run:
        """One run over an empty database. Raises LoadFailed, ProofFailed, AssertionError where it does not start."""
        own = Path(tempfile.mkdtemp(prefix=f"alerta-{scenario.name}-", dir=folder))
        name = f"alerta_{next(self._numbers)}"
        with self._postgresql.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        url = f"{self._postgresql.url.rpartition('/')[0]}/{name}"
        with _Running(self._programs, url, own) as running:
            requests = Requests(scenario.shape, token=None, path=_PATH)
            database = [self._postgresql.pid, *children_of(self._postgresql.pid)]
            done, serials = put_under_load(running, database, scenario, requests, effort, status=_CREATED)
        _prove(url, scenario, serials)
        with self._postgresql.connect() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        shutil.rmtree(own)
        return done

    def stop(self) -> None:
        """End the database."""
        self._postgresql.stop()


class _Running:
    """gunicorn with Alerta's application over the database at `url`."""

    def __init__(self, programs: Path, url: str, folder: Path) -> None:
        self.address = ("127.0.0.1", free_port())
        settings = folder / "alertad.conf"
        database = f"DATABASE_URL = {url!r}\nDATABASE_NAME = {url.rpartition('/')[2]!r}\n"
        settings.write_text(f"{database}SECRET_KEY = 'of a test'\n")
        self._environment = environment({"ALERTA_SVR_CONF_FILE": str(settings)})
        self._programs, self._folder = programs, folder

    def __enter__(self) -> Self:
        address = "{}:{}".format(*self.address)
        gunicorn = str(self._programs / "gunicorn")
        self._process = Process(
            # --preload: workers that each look after the schema get into each other's way (a deadlock, and gunicorn
            # ends). It connects anew for each request, so there is no connection to share.
            [gunicorn, "--preload", "--workers", str(_WORKERS), "--bind", address, "alerta:create_app()"],
            folder=self._folder,
            env=self._environment,
            name="alerta",
        )
        self._process.wait_for_http("http://{}:{}/management/gtg".format(*self.address), _READY_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def pids(self) -> dict[str, int]:
        """Its processes by what they do."""
        web = {f"web {n}": pid for n, pid in enumerate(children_of(self._process.pid), 1)}
        return {"master": self._process.pid} | web


def pins() -> dict[str, str]:
    """What is installed, by name."""
    lines = _PINS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def installed() -> Path:
    """The folder with its programs, made where it is not there or older than the pins. Raises RuntimeError."""
    programs, stamp = _ENVIRONMENT / "bin", _ENVIRONMENT / "stamp"
    wanted = sha256(_PINS.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return programs
    shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(_ENVIRONMENT)],
        [str(programs / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(_PINS)],
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS, env=os.environ
        )
        if done.returncode:
            raise RuntimeError(f"Alerta could not be installed:\n{done.stderr[-2000:]}")
    stamp.write_text(wanted)
    return programs


def _prove(url: str, scenario: Scenario, serials: Sequence[int]) -> None:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT COUNT(*), COALESCE(SUM(duplicate_count), 0) FROM alerts"
        ).fetchone()
    wanted = (len(serials) * scenario.shape.alerts, 0)
    if found != wanted:
        raise ProofFailed(f"Alerta's alerts and repeats: {found} instead of {wanted}")

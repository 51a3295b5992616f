"""What the load generator itself can do: its rate, and what a request costs it, against a server that does nothing."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.bodies import Requests, Shape
from bench.load import Load
from bench.machine import ROOT
from tests.fakes.ports import free_port
from tests.fakes.processes import Process, environment

_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Limit:
    """How many requests a second, and microseconds of the load's CPU for each."""

    per_second: float
    us_per_request: float


def limit(shape: Shape, folder: Path, *, seconds: float = 2.0) -> Limit:
    """Send bodies of this shape as fast as they are taken. Raises LoadFailed, AssertionError."""
    own = Path(tempfile.mkdtemp(prefix="generator-", dir=folder))
    address = ("127.0.0.1", free_port())
    command = [sys.executable, "-m", "bench.void", str(address[1])]
    requests, serials = Requests(shape, token="of no account"), itertools.count(1)
    with Process(command, folder=own, env=environment({"PYTHONPATH": str(ROOT)}), name="void") as server:
        server.wait_for_output("listening")
        with Load(address, _CONNECTIONS) as load:
            load.drive(requests, serials, seconds / 4)
            driven = load.drive(requests, serials, seconds)
    shutil.rmtree(own)
    answered = len(driven.serials)
    return Limit(answered / driven.seconds, driven.cpu_seconds / answered * 1e6)

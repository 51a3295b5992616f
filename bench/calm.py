"""How fast answers are when there is no storm: a tenth of the requests that the receiver can take on this machine."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.bodies import Requests, Shape
from bench.databases import Database
from bench.load import Load
from bench.proof import prove
from bench.scenarios import all_new
from bench.spread import percentile
from bench.subject import Subject

_CONNECTIONS = 16
_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Calm:
    """Latencies at a part of the top rate, which was found just before; they count from when a request was due."""

    per_second: float
    p50_ms: float
    p99_ms: float


def calm(database: Database, folder: Path, *, top_seconds: float = 2.0, seconds: float = 6.0) -> Calm:
    """Find the top rate on fresh keys, then send a tenth of it steadily.

    Raises LoadFailed and ProofFailed.
    """
    own = Path(tempfile.mkdtemp(prefix="calm-", dir=folder))
    url = database.create()
    with Subject(url, own, {}) as subject:
        requests, serials = Requests(Shape(), token=subject.token), all_new()
        with Load(subject.address, _CONNECTIONS) as load:
            early = load.drive(requests, serials, top_seconds)
            top = load.drive(requests, serials, top_seconds)
            per_second = max(1.0, _SHARE * len(top.serials) / top.seconds)
            paced = load.drive_paced(requests, serials, seconds, per_second)
        subject.settle()
    prove(url, Shape(), [*early.serials, *top.serials, *paced.serials])
    database.drop(url)
    shutil.rmtree(own)
    p50, p99 = (percentile(paced.latencies, percent) / 1e6 for percent in (50, 99))
    return Calm(per_second, p50, p99)

"""`receiver db prune` with a watch in its hand: says at its end, as JSON, what it removed and how its batches were.

A process of its own, as in production; bench/prune.py starts it. The settings come from the environment.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bench.spread import percentile
from receiver.clock import utc_now
from receiver.config import load
from receiver.services.archive import ArchivingSweep, Target
from receiver.services.retention import Sweep, cutoffs_of
from receiver.storage.engine import create_engine


def main(archive_to: str | None) -> None:
    """Remove what may go, and print one line of JSON."""
    settings = load()
    engine = create_engine(settings.database_url, pool_size=1)
    cutoffs = cutoffs_of(settings, utc_now())
    sweep = (
        ArchivingSweep(engine, cutoffs, Target(Path(archive_to), removes=True), has_broker=False)
        if archive_to
        else Sweep(engine, cutoffs, has_broker=False)
    )
    sizes, took, before = [], [], 0
    started = began = time.monotonic()
    own = time.process_time()
    for pause in sweep.steps():
        removed = sweep.rows.total() - before
        if removed:
            sizes.append(removed)
            took.append((time.monotonic() - began) * 1000)
            before += removed
        time.sleep(pause)
        began = time.monotonic()
    seconds = time.monotonic() - started
    engine.dispose()
    sizes = sizes or [0]
    took = took or [0.0]
    told = {
        "rows": {name: number for name, number in sweep.rows.items() if number},
        "seconds": seconds,
        "cpu_seconds": time.process_time() - own,
        "batches": len(sizes),
        "batch_rows": [percentile(sizes, percent) for percent in (1, 50, 99)],
        "batch_ms": [percentile(took, percent) for percent in (50, 99, 100)],
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)

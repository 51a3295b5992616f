"""On what was measured: the machine, the code, and the versions of what it stands on."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from bench.proc import PROC

ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = ("flask", "werkzeug", "gunicorn", "sqlalchemy", "pymysql", "msgspec", "prometheus-client")
_FLUSHES = 50


def machine(folder: Path) -> dict[str, object]:
    """What the figures depend on; `folder` lies on the disk that the databases write to."""
    return {
        "cores": cores(),
        "cpu": _after_colon(PROC / "cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "flush_ms": flush_milliseconds(folder),
        "load_average": round(os.getloadavg()[0], 2),
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Python's and the libraries'."""
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}


def commit() -> str:
    """The commit that is checked out, with `-dirty` behind it where files differ from it; `unknown` without git."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        return f"{name}-dirty" if _git("status", "--porcelain") else name
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def flush_milliseconds(folder: Path) -> float:
    """How long it takes to get 4 kB onto the disk, the median of several: what each COMMIT has to wait for."""
    with tempfile.TemporaryFile(dir=folder) as file:
        took = []
        for _ in range(_FLUSHES):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return round(statistics.median(took) * 1000, 3)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _after_colon(file: Path, name: str) -> str | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)

"""Inputs on disk: the fixed ones of the repository, to which what breaks a target is added; and those of past runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIXED = ROOT / "tests" / "fuzz" / "corpus"
# What reached new code on this machine: it makes the next run begin where this one ended.
GROWN = ROOT / "var" / "fuzz"
FOUND = "found-"


def inputs(name: str, folder: Path = FIXED) -> list[Path]:
    """The inputs of a target, in one order."""
    return sorted(path for path in (folder / name).glob("*") if path.is_file())


def keep(name: str, data: bytes, folder: Path = FIXED) -> Path:
    """Add what broke the target `name` to its inputs."""
    path = folder / name / f"{FOUND}{hashlib.sha256(data).hexdigest()[:16]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path

"""Disks fill up: a file system in memory of a few megabytes, on which the database's or the spool's files lie."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.stack import Stack

_MEGABYTES = {"database": 400, "spool": 4}


def why_impossible() -> str:
    """Mounting takes root's rights."""
    if os.geteuid() != 0:
        return "only root may mount a small tmpfs"
    try:
        with small_disk(Path(tempfile.mkdtemp(prefix="faults-")), "spool"):
            return ""
    except subprocess.CalledProcessError:
        return "this machine lets nobody mount a tmpfs"


@contextmanager
def small_disk(place: Path, what: str) -> Iterator[Path]:
    """A tmpfs at `place`, from `with` to its end. Raises CalledProcessError where none may be mounted."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={_MEGABYTES[what]}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "faults", place], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        place.rmdir()


def fill_the_databases(stack: Stack, seconds: float) -> None:
    """No room for the database: MariaDB waits then, or ends. What watches over services starts it again."""
    assert stack.place is not None
    with stack.trouble("the database's disk is full"), _filled(stack.place):
        time.sleep(seconds)
    time.sleep(9)
    if (status := stack.database.returncode()) is not None:
        stack.note("the database has ended", status=status, said=stack.database.last_words())
        stack.database.start()


def fill_the_spools(stack: Stack, seconds: float) -> None:
    """No room for the spool, and the database is dead: 503, and nothing is acknowledged that is not kept."""
    with stack.trouble("the database is dead, and the spool's disk is full"):
        stack.database.kill()
        time.sleep(3)
        with _filled(stack.spool):
            time.sleep(seconds)
        stack.database.start()


@contextmanager
def _filled(place: Path) -> Iterator[None]:
    """Not a byte is free at `place`, until the end; what is freed meanwhile by others stays free."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    try:
        yield
    finally:
        filler.unlink()

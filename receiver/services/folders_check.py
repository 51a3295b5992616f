"""For `receiver doctor`: whether the folders of this machine can be used, and what waits in the spool for people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from receiver.config import Settings
from receiver.domain.finding import Finding, bad, ok, warn
from receiver.errors import SpoolFailed
from receiver.storage.spool import FILE, Spool

# The drainer begins within a second of the database's answer.
_LONG_SECONDS = 60.0


def check_folders(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The spool, and where archives go. Makes nothing to find out."""
    yield _spool(settings, now)
    folder = settings.archive_dir
    if folder is None:
        return
    if obstacle := obstacle_of(folder):
        yield bad(
            "archive",
            f"{obstacle} cannot be written to: retention removes nothing",
            "see RECEIVER_ARCHIVE_DIR",
        )
    else:
        yield ok("archive", f"{folder} can be written to")


def obstacle_of(folder: Path) -> Path | None:
    """What keeps this folder from being written to, or made: itself, or what stands in its place; None if nothing."""
    found = folder.absolute()
    while not os.path.lexists(found):  # unlike exists(): a folder that may not be looked into is no error
        found = found.parent
    return None if found.is_dir() and os.access(found, os.W_OK | os.X_OK) else found


def _spool(settings: Settings, now: datetime) -> Finding:
    folder = settings.spool_dir
    loss = "while the database is away alerts are refused"
    if obstacle := obstacle_of(folder):
        return bad("spool", f"{obstacle} cannot be written to: {loss}", "see RECEIVER_SPOOL_DIR")
    if not (folder / FILE).exists():
        return ok("spool", f"{folder} can be written to")
    try:
        depth = Spool(folder, 0).depth()
    except SpoolFailed as failure:
        advice = "docs/reliability.md says what to do with a broken spool"
        return bad("spool", f"{failure}: {loss}", advice)
    if depth.refused:
        advice = "drain.set_aside in the log says why; docs/reliability.md, what to do"
        return warn("spool", f"the database does not take {depth.refused} of its deliveries", advice)
    if not depth.deliveries:
        return ok("spool", f"nothing waits in {folder}")
    waiting = f"{depth.deliveries} deliveries wait in {folder}"
    if depth.oldest_received_at and (now - depth.oldest_received_at).total_seconds() > _LONG_SECONDS:
        return warn("spool", waiting, "is the database away, and does `receiver serve` run?")
    return ok("spool", waiting)

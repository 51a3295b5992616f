"""The spool: deliveries that the database could not take, in a small SQLite file on this machine's own disk.

Every process of the machine shares it. What is in it is on the disk (fsync) before anybody is told so.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from errno import EDQUOT, ENOSPC
from functools import partial
from pathlib import Path

from receiver.domain.delivery import Delivery
from receiver.errors import SpoolBlocked, SpoolFailed

FILE = "spool.db"
LOCK = "drain.lock"
HANDOVER = "handover"
# So long those who come wait at most for the last of the spool to be stored.
HANDOVER_SECONDS = 0.5
# Another process writes; each write is a few milliseconds.
BUSY_SECONDS = 0.35
# SQLite writes what changes into a log beside its file first, a removal too, and by itself moves it over when that has
# 4 MB: a small disk is full by then, and nothing can be removed from it any more.
LOG_PAGES = 100

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
  number             INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of arrival
  delivery_id        TEXT NOT NULL UNIQUE,
  trace_id           TEXT NOT NULL,
  received_at        TEXT NOT NULL,
  body               BLOB NOT NULL,
  content_type       TEXT NOT NULL,
  headers            TEXT NOT NULL,
  credential         TEXT NOT NULL,
  signature_verified INTEGER NOT NULL,
  refusal            TEXT                                -- why the database will not take it; people have to look
) STRICT;
CREATE INDEX IF NOT EXISTS idx_waiting ON deliveries (number) WHERE refusal IS NULL;
"""
_COLUMNS = "delivery_id, trace_id, received_at, body, content_type, headers, credential, signature_verified"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A delivery as it lies in the spool."""

    number: int
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Depth:
    """What the spool holds. `refused`: deliveries that the database will not take, and that wait for people."""

    deliveries: int
    used_bytes: int
    oldest_received_at: datetime | None
    refused: int


@dataclass(frozen=True, slots=True)
class _Opened:
    pid: int
    file: tuple[int, int] | None
    connection: sqlite3.Connection


class Spool:
    """The spool in `folder`, which is made if need be; never larger than `largest_bytes`. Threads may share it.

    Everything here raises SpoolFailed when the file cannot be used.
    """

    def __init__(self, folder: Path, largest_bytes: int) -> None:
        self._folder = folder
        self._file = folder / FILE
        self._largest_bytes = largest_bytes
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def append(self, deliveries: Sequence[Delivery]) -> None:
        """Put them at the end. When this returns they are on the disk."""
        rows = [_row(one) for one in deliveries]
        added = sum(len(one.body) for one in deliveries)
        with self._using() as connection:
            if _used_bytes(connection) + added > self._largest_bytes:
                raise SpoolBlocked(f"the spool is full: {self._largest_bytes} bytes are allowed")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                f"INSERT OR IGNORE INTO deliveries ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)",  # noqa: S608 - names of ours
                rows,
            )
            connection.execute("COMMIT")

    def is_empty(self) -> bool:
        """Whether nothing waits to be drained."""
        with self._using() as connection:
            found = connection.execute("SELECT 1 FROM deliveries WHERE refusal IS NULL LIMIT 1").fetchone()
        return found is None

    def first(self, deliveries: int, body_bytes: int, after: int = 0) -> list[Spooled]:
        """The oldest, in the order of their arrival: so many at most, and so many bytes (but one at least).

        `after`: only those with a higher number.
        """
        found: list[Spooled] = []
        damaged: list[tuple[int]] = []
        with self._using() as connection:
            rows = connection.execute(
                # The columns are a constant of ours.
                f"SELECT number, {_COLUMNS} FROM deliveries WHERE refusal IS NULL AND number > ?"  # noqa: S608  # nosec B608
                " ORDER BY number LIMIT ?",
                (after, deliveries),
            )
            for row in rows:
                body_bytes -= len(row[4])
                if found and body_bytes < 0:
                    break
                try:
                    found.append(Spooled(row[0], _delivery(row[1:])))
                except ValueError:  # what SQLite does not notice on a disk that loses bits
                    damaged.append((row[0],))
            rows.close()
            if damaged:
                connection.executemany(
                    "UPDATE deliveries SET refusal = 'unreadable' WHERE number = ?", damaged
                )
        return found

    def remove(self, spooled: Sequence[Spooled]) -> None:
        """Forget deliveries that the database has."""
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "DELETE FROM deliveries WHERE number = ?", [(one.number,) for one in spooled]
            )
            connection.execute("COMMIT")

    def set_aside(self, spooled: Spooled, refusal: str) -> None:
        """Keep a delivery that the database will not take, so that it holds up no other."""
        with self._using() as connection:
            connection.execute(
                "UPDATE deliveries SET refusal = ? WHERE number = ?", (refusal, spooled.number)
            )

    def depth(self) -> Depth:
        """What it holds now."""
        with self._using() as connection:
            count, oldest = connection.execute(
                "SELECT COUNT(*), MIN(received_at) FROM deliveries WHERE refusal IS NULL"
            ).fetchone()
            (refused,) = connection.execute(
                "SELECT COUNT(*) FROM deliveries WHERE refusal IS NOT NULL"
            ).fetchone()
            used = _used_bytes(connection)
        return Depth(count, used, _moment(oldest), refused)

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Whether this process may drain: one at a time, until the block is left or the process dies."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self._folder / LOCK).open("a")
        except OSError as error:
            raise self._failed(error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True

    def hand_over(self) -> None:
        """Ask those who come now to wait a moment: what the spool still holds is being stored."""
        with suppress(OSError):  # then they do not wait, and come into the spool
            (self._folder / HANDOVER).touch()

    def end_handover(self) -> None:
        """They need not wait any more."""
        with suppress(OSError):
            (self._folder / HANDOVER).unlink(missing_ok=True)

    def is_handing_over(self) -> bool:
        """Whether the rest is being stored. Who asked to wait and died is believed for a moment only."""
        try:
            return abs(time.time() - (self._folder / HANDOVER).stat().st_mtime) < HANDOVER_SECONDS
        except OSError:
            return False

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._connection()
                try:
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            except (sqlite3.Error, OSError) as error:
                if _name(error) == "SQLITE_FULL":
                    self._make_room()
                raise self._failed(error) from None

    def _failed(self, error: Exception) -> SpoolFailed:
        # Busy: another process writes. That passes as well, and nobody may go past what waits in it meanwhile.
        passes = _name(error).startswith(("SQLITE_FULL", "SQLITE_BUSY")) or (
            getattr(error, "errno", None) in (ENOSPC, EDQUOT)
        )
        kind = SpoolBlocked if passes else SpoolFailed
        # The name of the error only: sqlite3 may quote what was to be written.
        return kind(f"the spool in {self._folder} cannot be used ({_name(error)})")

    def _make_room(self) -> None:
        """Move what the log holds into the file, so that the next one who comes may write the log from its start."""
        with suppress(sqlite3.Error):
            self._connection().execute("PRAGMA wal_checkpoint(RESTART)")

    def _connection(self) -> sqlite3.Connection:
        # SQLite's connections do not survive a fork; and what is written to a file that somebody has moved away or
        # removed is not here after the next start.
        opened = self._opened
        if opened is None or opened.pid != os.getpid() or opened.file != _identity(self._file):
            self._opened = None
            if opened is not None and opened.pid == os.getpid():
                # Else it stays open until the garbage collector comes, and its -shm in use.
                opened.connection.close()
            connection = self._open()
            self._opened = opened = _Opened(os.getpid(), _identity(self._file), connection)
        return opened.connection

    def _open(self) -> sqlite3.Connection:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Bodies may hold what is nobody else's business; SQLite gives its log the same mode.
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self._file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
            connection.executescript(_SCHEMA)
            _flush(self._folder)
        except (sqlite3.Error, OSError):
            connection.close()
            raise
        return connection


def _identity(file: Path) -> tuple[int, int] | None:
    """What tells this file from any other that may come to have its name; None if there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _used_bytes(connection: sqlite3.Connection) -> int:
    size, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (pages - free))


def _flush(folder: Path) -> None:
    """Make the names of new files in `folder` survive a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _row(delivery: Delivery) -> tuple[object, ...]:
    return (
        delivery.delivery_id,
        delivery.trace_id,
        delivery.received_at.isoformat(),
        delivery.body,
        delivery.content_type,
        json.dumps(delivery.headers),
        delivery.credential,
        int(delivery.signature_verified),
    )


def _delivery(row: Sequence[object]) -> Delivery:
    delivery_id, trace_id, received_at, body, content_type, headers, credential, verified = row
    assert isinstance(body, bytes)
    return Delivery(
        delivery_id=str(delivery_id),
        trace_id=str(trace_id),
        received_at=datetime.fromisoformat(str(received_at)),
        body=body,
        content_type=str(content_type),
        headers=json.loads(str(headers)),
        credential=str(credential),
        signature_verified=bool(verified),
    )


def _moment(text: str | None) -> datetime | None:
    """None also for what the disk has made of a time: the drainer puts that delivery aside."""
    with suppress(TypeError, ValueError):
        return datetime.fromisoformat(text)  # type: ignore[arg-type]  # None is the TypeError
    return None


def _name(error: Exception) -> str:
    return (
        getattr(error, "sqlite_errorname", None) or getattr(error, "strerror", None) or type(error).__name__
    )

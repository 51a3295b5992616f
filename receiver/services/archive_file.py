"""Archives as files: gzip, written under another name, flushed to the disk and only then given their own.

So a file called .jsonl.gz is whole. `check` proves it: nothing cut off, nothing changed, every line understood.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from receiver.clock import utc_now
from receiver.domain.archive_line import BODY, VERSION, Footer, Header, Line
from receiver.errors import ArchiveFailed
from receiver.ids import new_ulid

_T = TypeVar("_T")
SUFFIX, PART = ".jsonl.gz", ".part"
_LEVEL = 5  # two thirds of the time of 6 for 2 % more bytes
_FORGOTTEN_SECONDS = 24 * 3600.0  # a part that nobody has written to for so long belongs to somebody who died
_encoder = msgspec.json.Encoder()
_line = msgspec.json.Decoder(Line)
_header = msgspec.json.Decoder(Header)
_footer = msgspec.json.Decoder(Footer)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a whole archive holds: its header, and rows by table (`bodies` for deliveries that lost only those)."""

    header: Header
    rows: Counter[str]


class ArchiveFile:
    """An archive in the making in `folder`, which is made if need be. Raises ArchiveFailed from all that it does."""

    def __init__(self, folder: Path, header: Header) -> None:
        name = f"receiver-{utc_now():%Y%m%dT%H%M%SZ}-{new_ulid()}{SUFFIX}"
        self.path = folder / name
        self.lines = 0
        self.bytes = 0
        self._part = folder / (name + PART)
        self._rows: Counter[str] = Counter()
        self._sum = hashlib.sha256()
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep_parts(folder)
            # Bodies may hold what is nobody else's business.
            self._raw = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=self._raw)
        self._put(_encoder.encode(header))

    def write(self, line: Line) -> None:
        """Add a row."""
        self._put(_encoder.encode(line))
        self.lines += 1
        self._rows["bodies" if line.goes == BODY else line.table] += 1

    def finish(self) -> Path:
        """Seal it and get it onto the disk; from then on it is whole, under its own name."""
        footer = Footer(end=True, lines=self.lines, rows=dict(self._rows), sha256=self._sum.hexdigest())
        self._put(_encoder.encode(footer))
        with _explained(self.path):
            self._file.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
            self._part.rename(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name is not on the disk before
            finally:
                os.close(folder)
        return self.path

    def abandon(self) -> None:
        """Remove it, unless it is finished. May be called again."""
        with contextlib.suppress(OSError):
            self._raw.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _put(self, line: bytes) -> None:
        line += b"\n"
        self._sum.update(line)
        self.bytes += len(line)
        with _explained(self.path):
            self._file.write(line)


def check(path: Path) -> Contents:
    """Read the whole archive; what it holds. Raises ArchiveFailed, saying what is wrong with it."""
    header: Header | None = None
    footer: Footer | None = None
    rows: Counter[str] = Counter()
    before = hashlib.sha256()
    for number, line in enumerate(_raw_lines(path), 1):
        if footer is not None:
            raise ArchiveFailed(f"{path}: goes on after its end, in line {number}")
        if header is None:
            header = _read_header(path, line)
        elif line.startswith(b'{"end"'):
            footer = _decoded(path, number, _footer, line)
            continue
        else:
            found = _decoded(path, number, _line, line)
            rows["bodies" if found.goes == BODY else found.table] += 1
        before.update(line)
    if header is None or footer is None:
        raise ArchiveFailed(f"{path}: is cut off, its end is missing")
    if before.hexdigest() != footer.sha256:
        raise ArchiveFailed(f"{path}: its SHA-256 is not the one that its end states")
    if dict(rows) != footer.rows or rows.total() != footer.lines:
        raise ArchiveFailed(f"{path}: holds other rows than its end states")
    return Contents(header, rows)


def read_lines(path: Path) -> Iterator[tuple[Line, int]]:
    """The rows of an archive that was checked, one at a time, each with its length in bytes. Raises ArchiveFailed."""
    for number, line in enumerate(_raw_lines(path), 1):
        if number > 1 and not line.startswith(b'{"end"'):
            yield _decoded(path, number, _line, line), len(line)


def _raw_lines(path: Path) -> Iterator[bytes]:
    with _explained(path):
        try:
            with gzip.open(path, "rb") as file:
                yield from file
        except EOFError:
            raise ArchiveFailed(f"{path}: is cut off") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ArchiveFailed(f"{path}: is no whole gzip file ({error})") from None


def _read_header(path: Path, line: bytes) -> Header:
    header = _decoded(path, 1, _header, line)
    if header.version != VERSION:
        raise ArchiveFailed(
            f"{path}: has version {header.version} of the format; this release reads {VERSION}"
        )
    return header


def _decoded(path: Path, number: int, decoder: msgspec.json.Decoder[_T], line: bytes) -> _T:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):  # its text may quote what is in the line
        raise ArchiveFailed(f"{path}: line {number} is not what stands in an archive there") from None


@contextlib.contextmanager
def _explained(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise ArchiveFailed(f"{place}: {error.strerror or error}") from error


def _sweep_parts(folder: Path) -> None:
    for part in folder.glob(f"receiver-*{SUFFIX}{PART}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > _FORGOTTEN_SECONDS:
                part.unlink()

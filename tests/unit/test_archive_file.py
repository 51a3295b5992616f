"""An archive is whole or it is refused: whatever is cut off, changed or added is noticed."""

from __future__ import annotations

import errno
import gzip
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from receiver.domain.archive_line import VERSION, Header, Line, digest, encode_row
from receiver.errors import ArchiveFailed
from receiver.services.archive_file import ArchiveFile, check, read_lines

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADER = Header("receiver", VERSION, "0004", NOW, {"jobs": NOW})
ROWS = (
    ("incidents", "INC-1", {"incident_id": "INC-1", "title": "Größe \u2028", "alerts_pruned": 0}),
    ("events", 7, {"event_id": 7, "payload": {"note": "secret-of-the-row"}, "created_at": NOW}),
    ("deliveries", "01A", {"delivery_id": "01A", "body": b"\xff\x00\xc3\x28"}),
)


def write(folder: Path) -> Path:
    file = ArchiveFile(folder, HEADER)
    for table, key, row in ROWS:
        of = "INC-1" if table != "deliveries" else None
        goes = "body" if table == "deliveries" else "row"
        file.write(Line(table, key, msgspec.Raw(encode_row(row)), of=of, goes=goes))  # type: ignore[arg-type]  # one of both
    return file.finish()


def spoiled(file: Path) -> Iterator[tuple[str, bytes]]:
    """The file, spoiled in many ways."""
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        yield f"the first {length} bytes", whole[:length]
    for place in range(12, len(whole), 5):  # what stands before may be any time and any name
        yield f"byte {place} changed", whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    text = gzip.decompress(whole)
    some = text.splitlines(keepends=True)
    yield "no footer", gzip.compress(b"".join(some[:-1]))
    yield "no header", gzip.compress(b"".join(some[1:]))
    yield "a line less", gzip.compress(b"".join([*some[:2], *some[3:]]))
    yield "a line twice", gzip.compress(b"".join([*some[:2], *some[1:]]))
    yield "another value", gzip.compress(text.replace(b"secret-of-the-row", b"secret-of-the-cow"))
    yield "more after its end", gzip.compress(text + some[1])
    yield "another file behind it", whole + whole
    yield "another format", gzip.compress(text.replace(b'"version":1', b'"version":2', 1))
    yield "no archive", gzip.compress(b"hello\n")
    yield "no gzip", text


def test_a_spoiled_file_is_noticed_and_nothing_of_it_is_told(tmp_path: Path) -> None:
    file = write(tmp_path)
    assert check(file).rows == {"incidents": 1, "events": 1, "bodies": 1}
    copy = tmp_path / "copy.jsonl.gz"
    unnoticed, told = [], []
    for what, content in spoiled(file):
        copy.write_bytes(content)
        try:
            check(copy)
        except ArchiveFailed as failure:
            told.append(str(failure))
        else:
            unnoticed.append(what)
    assert unnoticed == []
    assert all(text.startswith(str(copy)) and "secret-of" not in text for text in told)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = [line for line, _ in read_lines(write(tmp_path))]
    assert [(line.table, line.key, line.of, line.goes) for line in found] == [
        ("incidents", "INC-1", "INC-1", "row"),
        ("events", 7, "INC-1", "row"),
        ("deliveries", "01A", None, "body"),
    ]
    assert [bytes(line.row) for line in found] == [encode_row(row) for _, _, row in ROWS]


def test_a_row_is_the_same_whatever_was_pruned_of_it_and_else_is_not() -> None:
    one = {"incident_id": "INC-1", "title": "x", "alerts_pruned": 0}
    assert digest(encode_row(one)) == digest(encode_row(one | {"alerts_pruned": 9}))
    assert digest(encode_row(one)) != digest(encode_row(one | {"title": "y"}))


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    file = ArchiveFile(tmp_path, HEADER)
    with pytest.raises(ArchiveFailed, match="No space left"):
        file.finish()
    file.abandon()
    assert list(tmp_path.iterdir()) == []


def test_parts_of_those_who_died_are_removed_and_those_of_others_are_not(tmp_path: Path) -> None:
    dead, living = (tmp_path / f"receiver-{name}.jsonl.gz.part" for name in ("dead", "living"))
    for part in (dead, living):
        part.write_bytes(b"x")
    os.utime(dead, (time.time() - 90_000,) * 2)
    write(tmp_path)
    assert (dead.exists(), living.exists()) == (False, True)

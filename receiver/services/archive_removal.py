"""Removes what a whole archive holds, in batches. The file is the list: nothing else goes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from receiver.domain.archive_line import Line, digest, encode_row
from receiver.domain.batch_pace import BatchPace
from receiver.services.archive_file import read_lines
from receiver.storage import archive, retention
from receiver.storage.tables import incidents

# Rows are read again to compare them: so many bytes of them, at most, in one batch (one row may be more).
_MOST_BYTES = 4 * 1024 * 1024
_INCIDENTS = incidents.name


@dataclass(slots=True)
class Unit:
    """What goes in one transaction: rows by (table, goes), each with its incident and its digest as it was archived.

    `incidents`: those that the rows belong to, with their digests; `whole`: those of which this is the rest.
    """

    rows: defaultdict[tuple[str, str], dict[str | int, tuple[str | None, bytes]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    incidents: dict[str, bytes] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    number: int = 0
    size: int = 0

    def add(self, line: Line, length: int) -> None:
        """A row that is not an incident."""
        self.rows[line.table, line.goes][line.key] = line.of, digest(bytes(line.row))
        self.number += 1
        self.size += length

    def end(self, group: dict[str, bytes]) -> None:
        """All rows of these incidents have been added, to this unit or to earlier ones."""
        self.incidents |= group
        self.whole |= group.keys()
        self.number += len(group)


def units(path: Path, pace: BatchPace) -> Iterator[Unit]:
    """The rows of an archive that was checked, as many in a unit as `pace` says by then. Raises ArchiveFailed.

    In a file, incidents stand before the rows that belong to them; out of the database they go after those.
    """
    unit, group, has_rows = Unit(), dict[str, bytes](), False
    for line, length in read_lines(path):
        is_incident = line.table == _INCIDENTS
        if group and (line.of is None or (is_incident and has_rows)):
            unit.end(group)
            group, has_rows = {}, False
        if is_incident:
            group[str(line.key)] = digest(bytes(line.row))
        else:
            has_rows = True
            unit.add(line, length)
            if line.of is not None:
                unit.incidents[line.of] = group[line.of]
        if unit.number >= pace.rows or unit.size >= _MOST_BYTES:
            yield unit
            unit = Unit()
    unit.end(group)
    yield unit


def remove_unit(connection: Connection, unit: Unit, moment: datetime, *, has_broker: bool) -> Counter[str]:
    """Remove what of the unit is as it was archived and may go; how many rows, by table.

    Incidents must have been over before `moment`, and nobody hold them; they are locked.
    """
    locked = retention.lock_over(connection, unit.incidents, moment, has_broker=has_broker)
    same = {
        one["incident_id"] for one in locked if digest(encode_row(one)) == unit.incidents[one["incident_id"]]
    }
    removed = archive.remove(
        connection,
        {
            kind: {key: of_row for key, (of, of_row) in rows.items() if of is None or of in same}
            for kind, rows in unit.rows.items()
        },
    )
    bare = retention.without_children(connection, same & unit.whole)
    removed[_INCIDENTS] += retention.delete_rows(connection, incidents, bare)
    return +removed

"""Archives what retention would remove, and removes what is archived: never a row that is not in a whole file.

Rows are written into a file until it is large enough; it is finished, read back and proved whole; then just these rows
are removed, as far as they are still the same and may still go. What came, changed or was held meanwhile stays for the
next time. Killed anywhere, it leaves at worst rows both in the database and in a file.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from receiver.clock import Clock, utc_now
from receiver.domain.archive_line import VERSION, Header, Line
from receiver.domain.batch_pace import BatchPace
from receiver.domain.jobs import JobState
from receiver.ids import first_ulid
from receiver.services.archive_file import ArchiveFile, check
from receiver.services.archive_removal import Unit, remove_unit, units
from receiver.services.retention import (
    ROWS_OF_AN_INCIDENT,
    Cutoffs,
    bodies_mark,
    count_first,
    run_batch,
    set_bodies_mark,
)
from receiver.services.transaction import transact
from receiver.storage import archive, retention
from receiver.storage.engine import reading
from receiver.storage.migrate import newest_revision
from receiver.storage.tables import deliveries, grafana_alerts, jobs

# A file is finished when it has so many lines or bytes (before compression): what is archived goes soon afterwards.
_MOST_LINES, _MOST_BYTES = 100_000, 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Where archives go, and whether what is in them is removed then."""

    folder: Path
    removes: bool


class ArchivingSweep:
    """As services.retention.Sweep, by way of archives. `rows`: what was archived, or (`removes`) removed; `files`."""

    def __init__(
        self, engine: Engine, cutoffs: Cutoffs, target: Target, *, has_broker: bool, clock: Clock = utc_now
    ) -> None:
        self.rows: Counter[str] = Counter()
        self.files: list[Path] = []
        self._engine = engine
        self._cutoffs = cutoffs
        self._target = target
        self._has_broker = has_broker
        self._clock = clock
        self._reading, self._removing = BatchPace(), BatchPace()
        self._file: ArchiveFile | None = None
        self._bodies_through = self._bodies_done = bodies_mark(engine)

    def steps(self) -> Iterator[float]:
        """Do it all, and yield often for how many seconds to leave the database to others.

        Raises StorageUnavailable, and ArchiveFailed: what is in no whole file is still in the database then.
        """
        if self._target.removes:
            yield from count_first(self._engine)
        try:
            began = time.monotonic()
            for _ in self._groups():
                yield self._reading.after(time.monotonic() - began)
                if self._file and (self._file.lines >= _MOST_LINES or self._file.bytes >= _MOST_BYTES):
                    yield from self._close()
                began = time.monotonic()
            yield from self._close()
        finally:
            if self._file is not None:
                self._file.abandon()

    def _close(self) -> Iterator[float]:
        file, self._file = self._file, None
        if file is not None:
            try:
                path = file.finish()
            except BaseException:
                file.abandon()
                raise
            contents = check(path)
            self.files.append(path)
            yield 0.0
            if self._target.removes:
                yield from self._remove(path)
            else:
                self.rows.update(contents.rows)
        if self._target.removes and self._bodies_through != self._bodies_done:
            self._bodies_done = through = self._bodies_through
            moment = self._cutoffs.bodies
            transact(self._engine, lambda connection, _: set_bodies_mark(connection, through, moment))

    def _remove(self, path: Path) -> Iterator[float]:
        for unit in units(path, self._removing):

            def work(connection: Connection, unit: Unit = unit) -> Counter[str]:
                moment = self._cutoffs.incidents
                return remove_unit(connection, unit, moment, has_broker=self._has_broker)

            removed, pause = run_batch(self._engine, self._removing, work)
            self.rows.update(removed)
            yield pause

    def _groups(self) -> Iterator[None]:
        """Write all that may go, a group of rows at a time; what belongs to an incident is in the incident's group."""
        yield from self._bodies()
        yield from self._incidents()
        yield from self._alerts()
        yield from self._deliveries()
        yield from self._jobs()

    def _write(self, lines: Iterator[Line]) -> None:
        for line in lines:
            if self._file is None:
                self._file = ArchiveFile(self._target.folder, self._header())
            self._file.write(line)

    def _header(self) -> Header:
        cutoffs = self._cutoffs
        before = {
            "bodies": cutoffs.bodies,
            "alerts": cutoffs.alerts,
            "incidents": cutoffs.incidents,
            "jobs": cutoffs.jobs,
        }
        return Header("receiver", VERSION, newest_revision(), self._clock(), before)

    def _bodies(self) -> Iterator[None]:
        after = self._bodies_through
        while True:
            with reading(self._engine) as connection:
                ids = retention.deliveries_before(connection, after, self._cutoffs.bodies, self._reading.rows)
                if not ids:
                    return
                going = retention.bodies_of(connection, ids)
                # Those that go altogether take their bodies with them.
                whole = set(self._whole(connection, going))
                rest = [one for one in going if one not in whole]
                self._write(archive.rows_by_key(connection, deliveries, rest, "body"))
            after = self._bodies_through = ids[-1]
            yield

    def _whole(self, connection: Connection, ids: list[str]) -> list[str]:
        old = [one for one in ids if one < first_ulid(self._cutoffs.alerts)]
        return retention.deliveries_going(
            connection, old, self._cutoffs.alerts, self._cutoffs.incidents, has_broker=self._has_broker
        )

    def _incidents(self) -> Iterator[None]:
        for status in retention.OVER:
            place = None
            while True:
                with reading(self._engine) as connection:
                    place, ids = retention.incidents_before(
                        connection, status, place, self._cutoffs.incidents, self._reading.rows
                    )
                while ids:
                    some = max(1, self._reading.rows // ROWS_OF_AN_INCIDENT)
                    with reading(self._engine) as connection:
                        self._write(archive.rows_of_incidents(connection, ids[:some]))
                    ids = ids[some:]
                    yield
                if place is None:
                    break
                yield

    def _alerts(self) -> Iterator[None]:
        after: str | None = ""
        while after is not None:
            with reading(self._engine) as connection:
                after, ids = retention.loose_alerts(
                    connection, after, self._cutoffs.alerts, self._reading.rows
                )
                self._write(archive.rows_by_key(connection, grafana_alerts, ids))
            yield

    def _deliveries(self) -> Iterator[None]:
        after = ""
        while True:
            with reading(self._engine) as connection:
                ids = retention.deliveries_before(connection, after, self._cutoffs.alerts, self._reading.rows)
                if not ids:
                    return
                self._write(archive.rows_by_key(connection, deliveries, self._whole(connection, ids)))
            after = ids[-1]
            yield

    def _jobs(self) -> Iterator[None]:
        with reading(self._engine) as connection:
            queues = retention.queues(connection)
        for queue in queues:
            for state in retention.ENDED:
                yield from self._jobs_of(queue, state)

    def _jobs_of(self, queue: str, state: JobState) -> Iterator[None]:
        place = None
        while True:
            with reading(self._engine) as connection:
                place, ids = retention.finished_jobs(
                    connection, queue, state, place, self._cutoffs.jobs, self._reading.rows
                )
                self._write(archive.rows_by_key(connection, jobs, ids))
            if place is None:
                return
            yield


def sweep_through(sweep: ArchivingSweep) -> None:
    """All of it, at the pace of a housekeeping job."""
    for pause in sweep.steps():
        time.sleep(pause)  # so that intake is not held up

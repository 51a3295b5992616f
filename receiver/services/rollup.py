"""Keeps the roll-ups behind the reports up to date: alerts by hour and day, and the facts of incidents.

Never part of an intake transaction. Ids commit out of order, so each stretch of ids is counted several times, the last
time after a day (domain/rollup.py). Of two who count at once only one adds what it found: the other's stretch has
changed meanwhile. Counting goes by one standing job, as in publish.py; retention calls `catch_up` before it removes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, Engine

from receiver.clock import Clock, utc_now
from receiver.domain.jobs import ClaimedJob, JobKind, JobRequest, Outcome, Verdict
from receiver.domain.rollup import CHECK_AGES, OPEN_FOR, growth, most, next_check
from receiver.ids import first_ulid
from receiver.runtime import Runtime
from receiver.services import report_days
from receiver.services.job_handler import Completion
from receiver.services.transaction import transact
from receiver.storage import alert_rollup, incident_facts, jobs, rollups
from receiver.storage.engine import reading
from receiver.storage.rollups import Slice

STANDING_JOB = JobRequest(
    JobKind.ROLLUP,
    JobKind.ROLLUP.value,
    "rollup:standing",
    # It never ends, and every worker that dies with it counts as an attempt.
    max_attempts=2_000_000_000,
)
# One attempt is short against a worker's time to drain.
ATTEMPT_SECONDS = 8.0
IDLE_SECONDS = 10.0
# Whoever counts takes processor time from the intake and the database, most of it in a storm. So it works for a while
# and rests for longer, unless reports would tell of a time too long ago.
BITE_SECONDS = 2.0
RESTS = 3.0  # as long as it has worked, so many times
LATE = timedelta(minutes=10)
# Rows of this instant, whose ids may be a moment ahead.
_AHEAD = timedelta(seconds=1)

Add = Callable[[Connection, Mapping[str, int]], None]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of a stretch, and how to add what is new of it to the roll-ups."""

    tally: Mapping[str, int]
    add: Add


class Stream(Protocol):
    """Rows that come in the order of their ids, more or less."""

    name: str
    # So many rows are counted by one statement.
    rows: int

    def end(self, connection: Connection, now: datetime) -> str:
        """The id above all that are to be counted now."""

    def bound(self, connection: Connection, from_id: str, until_id: str) -> str:
        """Where to end a stretch of at most `rows` that begins at `from_id`."""

    def count(self, connection: Connection, from_id: str, until_id: str) -> Counted:
        """Count the stretch."""

    def is_settled(self, until_id: str, now: datetime) -> bool:
        """Whether the stretch is so old that it need not be looked at again."""


class AlertStream:
    """Alerts, by hour and day."""

    name = rollups.ALERTS
    rows = 20_000

    def end(self, connection: Connection, now: datetime) -> str:
        """As Stream says."""
        return first_ulid(now)

    def bound(self, connection: Connection, from_id: str, until_id: str) -> str:
        """As Stream says."""
        return alert_rollup.bound(connection, from_id, until_id, self.rows)

    def count(self, connection: Connection, from_id: str, until_id: str) -> Counted:
        """As Stream says."""
        tally, facets = alert_rollup.tally(connection, from_id, until_id)
        return Counted(tally, lambda writing, gained: alert_rollup.add(writing, gained, facets))

    def is_settled(self, until_id: str, now: datetime) -> bool:
        """As Stream says."""
        return until_id <= first_ulid(now - CHECK_AGES[-1])


class EventStream:
    """Events, which tell which incidents have changed: the facts of those are written anew."""

    name = rollups.EVENTS
    rows = 2_000

    def end(self, connection: Connection, now: datetime) -> str:
        """As Stream says."""
        return _padded(incident_facts.newest_event(connection) + 1)

    def bound(self, connection: Connection, from_id: str, until_id: str) -> str:
        """As Stream says."""
        return _padded(incident_facts.bound(connection, int(from_id), int(until_id), self.rows))

    def count(self, connection: Connection, from_id: str, until_id: str) -> Counted:
        """As Stream says."""
        low, high = int(from_id), int(until_id)

        def add(writing: Connection, gained: Mapping[str, int]) -> None:
            # Read in the transaction that writes, and after its lock: nobody overwrites newer facts with older ones.
            incident_facts.record(writing, incident_facts.touched_by(writing, low, high))

        number = incident_facts.count_events(connection, low, high)
        return Counted({"events": number} if number else {}, add)

    def is_settled(self, until_id: str, now: datetime) -> bool:
        """As Stream says."""
        return False  # an event's id has no time; to count it again costs little


STREAMS: tuple[Stream, ...] = (AlertStream(), EventStream())


def _padded(event_id: int) -> str:
    return f"{event_id:020}"


def advance(engine: Engine, stream: Stream, now: datetime) -> bool:
    """Count the newest stretch; whether there is more to count at once.

    Raises StorageUnavailable, and what the database raises.
    """
    base = _newest(engine, stream, now)
    with reading(engine) as connection:
        end = max(stream.end(connection, now), base.until_id)
        until = max(stream.bound(connection, base.from_id, end), base.until_id)
        counted = stream.count(connection, base.from_id, until)
    gained = growth(base.tally, counted.tally)
    is_full = until < end
    is_closed = is_full or (base.version > 0 and base.due_at <= now)
    if not gained and not is_closed:
        return False
    tally = most(base.tally, counted.tally)
    if not is_closed:
        after = replace(base, until_id=until, tally=tally)
    elif stream.is_settled(until, now):
        after = replace(base, until_id=until, tally={}, is_open=False, checks=len(CHECK_AGES))
    else:
        due = next_check(now, 0) or now
        after = replace(base, until_id=until, tally=tally, is_open=False, due_at=due)
    return not _write(engine, base, after, gained, counted.add) or is_full


def _newest(engine: Engine, stream: Stream, now: datetime) -> Slice:
    """The open stretch at the end, or a new one."""
    with reading(engine) as connection:
        last = rollups.newest(connection, stream.name)
    if last is None:
        transact(engine, lambda connection, _: rollups.begin(connection, stream.name, now))
        return Slice(stream.name, rollups.LOWEST, rollups.LOWEST, now, now + OPEN_FOR)
    if last.is_open:
        return last
    return Slice(stream.name, last.until_id, last.until_id, now, now + OPEN_FOR)


def check_again(engine: Engine, stream: Stream, one: Slice, now: datetime) -> None:
    """Count a closed stretch again, and add what has come to it."""
    with reading(engine) as connection:
        counted = stream.count(connection, one.from_id, one.until_id)
    checks = one.checks + 1
    due = next_check(one.due_at - CHECK_AGES[one.checks], checks) or one.due_at
    after = replace(one, tally=most(one.tally, counted.tally), checks=checks, due_at=max(due, now))
    _write(engine, one, after, growth(one.tally, counted.tally), counted.add)


def _write(engine: Engine, before: Slice, after: Slice, gained: Mapping[str, int], add: Add) -> bool:
    """Add to the roll-ups, and remember what was counted, in one transaction; whether nobody else was faster."""

    def work(connection: Connection, attempt: int) -> bool:
        rollups.lock(connection, before.stream)
        if not rollups.is_unchanged(connection, before):
            return False
        if gained:
            add(connection, gained)
        rollups.save(connection, after)
        if after.checks >= len(CHECK_AGES):
            rollups.forget_settled(connection, before.stream, len(CHECK_AGES))
        return True

    return transact(engine, work)


def catch_up(engine: Engine, clock: Clock = utc_now) -> None:
    """Count all that is stored by now. Raises StorageUnavailable, and what the database raises."""
    for stream in STREAMS:
        while advance(engine, stream, clock() + _AHEAD):
            pass


def turn(engine: Engine, clock: Clock, until: float = float("inf")) -> bool:
    """Count what is new, what is to be counted again, and then whole days, up to `until` (time.monotonic()); whether
    that was all.

    Raises StorageUnavailable, and what the database raises.
    """
    for stream in STREAMS:
        while advance(engine, stream, clock()):
            if time.monotonic() > until:
                return False
        with reading(engine) as connection:
            due = rollups.due(connection, stream.name, clock(), len(CHECK_AGES))
        for one in due:
            check_again(engine, stream, one, clock())
            if time.monotonic() > until:
                return False
        _note_look(engine, stream.name, clock())
    return report_days.count_due(engine, clock(), lambda: time.monotonic() > until, report_days.A_FEW)


def _note_look(engine: Engine, stream: str, now: datetime) -> None:
    transact(engine, lambda connection, _: rollups.looked(connection, stream, now))


def stand_by(runtime: Runtime) -> None:
    """See to it that the standing job exists and runs; any number of workers may do this at once."""
    transact(runtime.engine, lambda connection, _: _stand_by(connection))


def _stand_by(connection: Connection) -> None:
    jobs.insert_once(connection, [STANDING_JOB])
    jobs.revive_key(connection, STANDING_JOB.idempotency_key)


def _is_late(engine: Engine, now: datetime) -> bool:
    """Whether it is too long ago that all was counted, or that never happened."""
    with reading(engine) as connection:
        looked = rollups.last_look(connection)
    return looked is None or now - looked > LATE


class RollupHandler:
    """Takes one turn after the other (services.job_handler.Handler)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self, job: ClaimedJob) -> Completion:
        """Count for some seconds. Never `done`: this job has no end."""
        engine, clock = self._runtime.engine, self._runtime.clock
        is_late, began = _is_late(engine, clock()), time.monotonic()
        is_through = turn(engine, clock, began + (ATTEMPT_SECONDS if is_late else BITE_SECONDS))
        rest_seconds = 0.0 if is_late else RESTS * (time.monotonic() - began)
        if not is_through:
            return Completion(Outcome(Verdict.WAIT, "there is more to count", rest_seconds))
        return Completion(Outcome(Verdict.WAIT, "all is counted", max(IDLE_SECONDS, rest_seconds)))

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        """Nothing to add: the next worker that starts revives the job."""

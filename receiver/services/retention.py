"""Retention: removes what is older than the settings say, in small batches, each a short transaction of its own.

A sweep can end anywhere, by a kill -9 too: the books balance after every batch, and the next sweep goes on. Several at
once do no harm.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from receiver import metrics
from receiver.clock import Clock, utc_now
from receiver.config import Settings
from receiver.domain.batch_pace import BatchPace
from receiver.domain.jobs import JobState
from receiver.services.rollup import STREAMS, advance
from receiver.services.transaction import transact
from receiver.storage import controls, database_clock, retention
from receiver.storage.engine import reading

CONTROL = "retention"
_MOST_DAYS = 18_000  # for ever: ULIDs know no time before 1970
ROWS_OF_AN_INCIDENT = 16  # more or less: so many go in one batch, and seldom does one need two
_LOOKED_AT = 400
_PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is older than these moments goes."""

    bodies: datetime
    alerts: datetime
    incidents: datetime
    jobs: datetime


def cutoffs_of(settings: Settings, now: datetime) -> Cutoffs:
    """The moments that the settings mean at `now`; what is to be kept for ever is never as old as its moment."""

    def before(days: int | None) -> datetime:
        return now - timedelta(days=min(days or _MOST_DAYS, _MOST_DAYS))

    return Cutoffs(
        bodies=before(settings.keep_bodies_days),
        alerts=before(settings.keep_alerts_days),
        incidents=before(settings.keep_incidents_days),
        jobs=before(settings.keep_jobs_days),
    )


def cutoffs_now(engine: Engine, settings: Settings, clock: Clock = utc_now) -> Cutoffs:
    """The same, now: by this host's clock or the database's, whichever says less. Raises what the database raises.

    Nobody brings back what was removed because one clock was ahead.
    """
    with reading(engine) as connection:
        at = database_clock.now(connection)
    return cutoffs_of(settings, min(clock(), at))


class Sweep:
    """One walk over all that may go. `steps()` yields after each batch; `rows` counts by table what went."""

    def __init__(self, engine: Engine, cutoffs: Cutoffs, *, has_broker: bool) -> None:
        self.rows: Counter[str] = Counter()
        self._engine = engine
        self._cutoffs = cutoffs
        self._has_broker = has_broker
        self._pace = BatchPace()

    def steps(self) -> Iterator[float]:
        """Do it all, and yield after each batch for how many seconds to leave the database to others.

        Raises StorageUnavailable.
        """
        yield from count_first(self._engine)
        yield from self._bodies()
        yield from self._incidents()
        yield from self._alerts()
        yield from self._deliveries()
        yield from self._jobs()

    def _batch(self, name: str, work: Callable[[Connection], int]) -> float:
        def count(connection: Connection) -> Counter[str]:
            return Counter({name: work(connection)})

        return self._run(count)

    def _run(self, work: Callable[[Connection], Counter[str]]) -> float:
        """Run one batch; returns the pause after it."""
        removed, pause = run_batch(self._engine, self._pace, work)
        self.rows.update(removed)
        return pause

    def _bodies(self) -> Iterator[float]:
        moment = self._cutoffs.bodies
        # All below it are empty already: without this mark every sweep would look at each of them again.
        after = bodies_mark(self._engine)
        while True:
            with reading(self._engine) as connection:
                ids = retention.deliveries_before(connection, after, moment, self._pace.rows)
            if not ids:
                return
            after = ids[-1]

            def work(connection: Connection, ids: list[str] = ids) -> int:
                emptied = retention.empty_bodies(connection, ids)
                set_bodies_mark(connection, ids[-1], moment)
                return emptied

            yield self._batch("bodies", work)

    def _incidents(self) -> Iterator[float]:
        for status in retention.OVER:
            place = None
            while True:
                with reading(self._engine) as connection:
                    place, ids = retention.incidents_before(
                        connection, status, place, self._cutoffs.incidents, self._pace.rows
                    )
                while ids:
                    # One at a time would take a COMMIT for each.
                    some = max(1, self._pace.rows // ROWS_OF_AN_INCIDENT)
                    yield from self._remove(ids[:some])
                    ids = ids[some:]
                if place is None:
                    break
                yield _PAUSE_SECONDS

    def _remove(self, ids: list[str]) -> Iterator[float]:
        is_complete = False
        while not is_complete:

            def work(connection: Connection) -> Counter[str]:
                nonlocal is_complete
                done = retention.remove_incidents(
                    connection, ids, self._cutoffs.incidents, self._pace.rows, has_broker=self._has_broker
                )
                is_complete = done.is_complete
                return done.rows

            yield self._run(work)

    def _alerts(self) -> Iterator[float]:
        after: str | None = ""
        while after is not None:
            with reading(self._engine) as connection:
                after, ids = retention.loose_alerts(connection, after, self._cutoffs.alerts, self._pace.rows)
            if ids:
                yield self._batch("grafana_alerts", partial(_remove_alerts, ids))
            else:
                yield _PAUSE_SECONDS

    def _deliveries(self) -> Iterator[float]:
        after = ""
        while True:
            with reading(self._engine) as connection:
                ids = retention.deliveries_before(connection, after, self._cutoffs.alerts, self._pace.rows)
            if not ids:
                return
            after = ids[-1]
            yield self._batch("deliveries", partial(_remove_deliveries, ids))

    def _jobs(self) -> Iterator[float]:
        with reading(self._engine) as connection:
            queues = retention.queues(connection)
        for queue in queues:
            for state in retention.ENDED:
                yield from self._jobs_of(queue, state)

    def _jobs_of(self, queue: str, state: JobState) -> Iterator[float]:
        place = None
        while True:
            with reading(self._engine) as connection:
                place, ids = retention.finished_jobs(
                    connection, queue, state, place, self._cutoffs.jobs, self._pace.rows
                )
            if place is None:
                return
            if ids:
                yield self._batch("jobs", partial(_remove_jobs, ids, state))
            else:
                yield _PAUSE_SECONDS


def _remove_alerts(ids: list[str], connection: Connection) -> int:
    return retention.remove_alerts(connection, ids)


def _remove_deliveries(ids: list[str], connection: Connection) -> int:
    return retention.remove_deliveries(connection, ids)


def _remove_jobs(ids: list[int], state: JobState, connection: Connection) -> int:
    return retention.remove_jobs(connection, ids, state)


def count_first(engine: Engine) -> Iterator[float]:
    """Have the roll-ups count what is stored: reports go on telling of what is removed. Yields pauses, as `steps`."""
    for stream in STREAMS:
        while advance(engine, stream, utc_now()):
            yield _PAUSE_SECONDS


def run_batch(
    engine: Engine, pace: BatchPace, work: Callable[[Connection], Counter[str]]
) -> tuple[Counter[str], float]:
    """Run `work` in a transaction; what it removed by table, and for how many seconds to pause after it."""
    began = time.monotonic()
    removed = transact(engine, lambda connection, _: work(connection))
    pause = pace.after(time.monotonic() - began)
    for table, number in removed.items():
        metrics.PRUNED.labels(table).inc(number)
    return removed, pause


def bodies_mark(engine: Engine) -> str:
    """The delivery up to which all bodies are empty that may be."""
    with reading(engine) as connection:
        control = controls.find(connection, CONTROL)
    return str(control["value"].get("bodies_through", "")) if control else ""


def set_bodies_mark(connection: Connection, delivery_id: str, moment: datetime) -> None:
    """Set it."""
    controls.put(connection, CONTROL, {"bodies_through": delivery_id}, "retention", moment)


def prune(engine: Engine, cutoffs: Cutoffs, *, has_broker: bool) -> Counter[str]:
    """Remove all that may go, at the pace of a housekeeping job; returns the rows by table."""
    sweep = Sweep(engine, cutoffs, has_broker=has_broker)
    for pause in sweep.steps():
        time.sleep(pause)  # so that intake is not held up
    return sweep.rows


def survey(engine: Engine, cutoffs: Cutoffs) -> Counter[str]:
    """What may go at most: bodies, alerts of no incident, incidents, jobs. Changes nothing.

    What hangs on an incident, and deliveries, are not counted beforehand: they go with the last of their alerts.
    """
    found: Counter[str] = Counter()
    with reading(engine) as connection:
        after = ""
        while ids := retention.deliveries_before(connection, after, cutoffs.bodies, _LOOKED_AT):
            found["bodies"] += len(retention.bodies_of(connection, ids))
            after = ids[-1]
        last: str | None = ""
        while last is not None:
            last, loose = retention.loose_alerts(connection, last, cutoffs.alerts, _LOOKED_AT)
            found["grafana_alerts"] += len(loose)
        for status in retention.OVER:
            place, is_first = None, True
            while is_first or place is not None:
                is_first = False
                place, over = retention.incidents_before(
                    connection, status, place, cutoffs.incidents, _LOOKED_AT
                )
                found["incidents"] += len(over)
        for queue in retention.queues(connection):
            for state in retention.ENDED:
                found["jobs"] += _survey_jobs(connection, queue, state, cutoffs.jobs)
    return +found


def _survey_jobs(connection: Connection, queue: str, state: JobState, moment: datetime) -> int:
    number, place, is_first = 0, None, True
    while is_first or place is not None:
        is_first = False
        place, going = retention.finished_jobs(connection, queue, state, place, moment, _LOOKED_AT)
        number += len(going)
    return number

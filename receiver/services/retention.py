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
from receiver.config import Settings
from receiver.domain.jobs import JobState
from receiver.services.transaction import transact
from receiver.storage import controls, retention
from receiver.storage.engine import reading

CONTROL = "retention"
_MOST_DAYS = 18_000  # for ever: ULIDs know no time before 1970
_MOST_ROWS, _LEAST_ROWS = 400, 20
# A batch that takes longer is too large for what the database has to spare just now.
_LONG_SECONDS = 0.05
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


class Sweep:
    """One walk over all that may go. `steps()` yields after each batch; `rows` counts by table what went."""

    def __init__(
        self, engine: Engine, cutoffs: Cutoffs, *, has_broker: bool, keep: retention.Keep | None = None
    ) -> None:
        self.rows: Counter[str] = Counter()
        self._engine = engine
        self._cutoffs = cutoffs
        self._has_broker = has_broker
        self._keep = keep
        self._limit = _MOST_ROWS
        self._busy = 0.0

    def steps(self) -> Iterator[float]:
        """Do it all, and yield after each batch for how many seconds to leave the database to others.

        Raises StorageUnavailable, and OSError where rows cannot be archived: what that batch removed is back then.
        """
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
        """Run one batch; returns the pause after it: twice as long as it took, so that others have most of the time."""
        began = time.monotonic()
        removed = transact(self._engine, lambda connection, _: work(connection))
        took = time.monotonic() - began
        if took > _LONG_SECONDS:
            self._limit = max(_LEAST_ROWS, self._limit // 2)
        elif took < _LONG_SECONDS / 2:
            self._limit = min(_MOST_ROWS, self._limit + 20)
        self.rows.update(removed)
        for table, number in removed.items():
            metrics.PRUNED.labels(table).inc(number)
        return _PAUSE_SECONDS + 2 * took

    def _bodies(self) -> Iterator[float]:
        moment = self._cutoffs.bodies
        with reading(self._engine) as connection:
            control = controls.find(connection, CONTROL)
        # All below it are empty already: without this mark every sweep would look at each of them again.
        after = str(control["value"].get("bodies_through", "")) if control else ""
        while True:
            with reading(self._engine) as connection:
                ids = retention.deliveries_before(connection, after, moment, self._limit)
            if not ids:
                return
            after = ids[-1]

            def work(connection: Connection, ids: list[str] = ids) -> int:
                emptied = retention.empty_bodies(connection, ids, self._keep)
                controls.put(connection, CONTROL, {"bodies_through": ids[-1]}, "retention", moment)
                return emptied

            yield self._batch("bodies", work)

    def _incidents(self) -> Iterator[float]:
        moment = self._cutoffs.incidents
        for status in retention.OVER:
            place = None
            while True:
                with reading(self._engine) as connection:
                    place, ids = retention.incidents_before(connection, status, place, moment, self._limit)
                for incident_id in ids:
                    yield from self._incident(incident_id)
                if place is None:
                    break
                yield _PAUSE_SECONDS

    def _incident(self, incident_id: str) -> Iterator[float]:
        is_complete = False
        while not is_complete:

            def work(connection: Connection) -> Counter[str]:
                nonlocal is_complete
                done = retention.remove_incident(
                    connection,
                    incident_id,
                    self._cutoffs.incidents,
                    self._limit,
                    has_broker=self._has_broker,
                    keep=self._keep,
                )
                is_complete = done.is_complete
                return done.rows

            yield self._run(work)

    def _alerts(self) -> Iterator[float]:
        after: str | None = ""
        while after is not None:
            with reading(self._engine) as connection:
                after, ids = retention.loose_alerts(connection, after, self._cutoffs.alerts, self._limit)
            if ids:
                yield self._batch("grafana_alerts", partial(self._remove_alerts, ids))
            else:
                yield _PAUSE_SECONDS

    def _remove_alerts(self, ids: list[str], connection: Connection) -> int:
        return retention.remove_alerts(connection, ids, self._keep)

    def _deliveries(self) -> Iterator[float]:
        after = ""
        while True:
            with reading(self._engine) as connection:
                ids = retention.deliveries_before(connection, after, self._cutoffs.alerts, self._limit)
            if not ids:
                return
            after = ids[-1]
            yield self._batch("deliveries", partial(self._remove_deliveries, ids))

    def _remove_deliveries(self, ids: list[str], connection: Connection) -> int:
        return retention.remove_deliveries(connection, ids, self._keep)

    def _jobs(self) -> Iterator[float]:
        with reading(self._engine) as connection:
            queues = retention.queues(connection)
        for queue in queues:
            for state in (JobState.DONE, JobState.DEAD, JobState.UNKNOWN):
                yield from self._jobs_of(queue, state)

    def _jobs_of(self, queue: str, state: JobState) -> Iterator[float]:
        place = None
        while True:
            with reading(self._engine) as connection:
                place, ids = retention.finished_jobs(
                    connection, queue, state, place, self._cutoffs.jobs, self._limit
                )
            if place is None:
                return
            if ids:
                yield self._batch("jobs", partial(self._remove_jobs, ids, state))
            else:
                yield _PAUSE_SECONDS

    def _remove_jobs(self, ids: list[int], state: JobState, connection: Connection) -> int:
        return retention.remove_jobs(connection, ids, state, self._keep)


def prune(engine: Engine, cutoffs: Cutoffs, *, has_broker: bool) -> Counter[str]:
    """Remove all that may go, at the pace of a housekeeping job; returns the rows by table."""
    sweep = Sweep(engine, cutoffs, has_broker=has_broker)
    for pause in sweep.steps():
        time.sleep(pause)  # so that intake is not held up
    return sweep.rows


def survey(engine: Engine, cutoffs: Cutoffs) -> Counter[str]:
    """What may go at most: bodies, alerts of no incident, incidents. Changes nothing.

    What hangs on an incident, and deliveries, are not counted beforehand: they go with the last of their alerts.
    """
    found: Counter[str] = Counter()
    with reading(engine) as connection:
        after = ""
        while ids := retention.deliveries_before(connection, after, cutoffs.bodies, _MOST_ROWS):
            found["bodies"] += retention.bodies_of(connection, ids)
            after = ids[-1]
        last: str | None = ""
        while last is not None:
            last, loose = retention.loose_alerts(connection, last, cutoffs.alerts, _MOST_ROWS)
            found["grafana_alerts"] += len(loose)
        for status in retention.OVER:
            place, is_first = None, True
            while is_first or place is not None:
                is_first = False
                place, over = retention.incidents_before(
                    connection, status, place, cutoffs.incidents, _MOST_ROWS
                )
                found["incidents"] += len(over)
    return found

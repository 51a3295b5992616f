"""C1 to C4: what the database holds. It may be gigabytes: nothing here keeps more of it than it must."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, column, func, inspect, select, table

from faults.checks.evidence import Evidence
from faults.history import End
from faults.model import Comparison, StoredAlert, StoredIncident, alerts_of
from receiver.domain.events import EventType
from receiver.storage.tables import deliveries, events, grafana_alerts, incidents

ORDER_TABLE = table(
    "order_of_storing", column("number"), column("connection"), column("alert")
)  # of kinds/clock.py
_PART = 2000


def every_2xx_is_stored(evidence: Evidence) -> list[str]:
    """C1: what was acknowledged is there byte for byte; what was refused is not; nothing else is."""
    with evidence.stack.engine.connect() as connection:
        rows = _stream(connection, select(deliveries.c.delivery_id, deliveries.c.body))
        stored = {row.delivery_id: hashlib.sha256(row.body).hexdigest() for row in rows}
    found = []
    acknowledged = [one for one in evidence.requests if one.end is End.OK]
    lost = 0
    for one in acknowledged:
        digest = stored.get(one.delivery_id)
        if digest is None:
            found.append(f"lost: {one.delivery_id} ({one.outcome}, {one.alerts} alerts)")
            lost += max(one.alerts, 1)
        elif digest != one.digest:
            found.append(f"changed: {one.delivery_id} ({one.outcome})")
    sent = {one.digest for one in evidence.requests if one.end is not End.FAIL}
    found += [f"from nowhere: {name}" for name, digest in stored.items() if digest not in sent]
    if len({one.delivery_id for one in acknowledged}) != len(acknowledged):
        found.append("two answers gave the same delivery_id")
    evidence.figures["acknowledged"] = len(acknowledged)
    evidence.figures["alerts"] = sum(one.alerts for one in acknowledged)
    evidence.figures["spooled"] = sum(one.outcome == "spooled" for one in acknowledged)
    evidence.figures["unknown"] = sum(one.end is End.UNKNOWN for one in evidence.requests)
    evidence.figures["lost"] = lost
    return found


def never_two_open(evidence: Evidence) -> list[str]:
    """C2: no sample saw two open incidents of one key."""
    evidence.figures["samples"] = evidence.sampler.samples
    evidence.figures["double_open"] = len(evidence.sampler.twice)
    found = [f"two open incidents of {key}" for key in sorted(evidence.sampler.twice)]
    return found if evidence.sampler.samples else ["nothing was sampled"]


def state_is_what_the_model_says(evidence: Evidence) -> list[str]:
    """C3: dispositions and incidents are what the reference model makes of the stored alerts, in their order.

    That is the order of their ids: those of one incident key are made under its lock.
    """
    engine, comparison = evidence.stack.engine, Comparison()
    with engine.connect() as connection, engine.connect() as other:
        bodies = _Bodies(other)
        for row in _alerts(connection):
            comparison.add(row, bodies.next_alert(row.delivery_id))
        for delivery_id, missing in bodies.left():
            comparison.lack(delivery_id, missing)
        incident = incidents.c
        stored = [
            StoredIncident(
                row.incident_id, row.incident_key, row.status.value, row.alert_count, row.firing_count
            )
            for row in connection.execute(
                select(
                    incident.incident_id,
                    incident.incident_key,
                    incident.status,
                    incident.alert_count,
                    incident.firing_count,
                )
            )
        ]
        told = _told_changes(connection, stored)
    evidence.figures["incidents"] = len(stored)
    return comparison.end(stored) + told


def _told_changes(connection: Connection, stored: Sequence[StoredIncident]) -> list[str]:
    """Where an incident's opening or its end is not told by one event (I7)."""
    event = events.c
    types = (EventType.INCIDENT_OPENED, EventType.INCIDENT_RESOLVED)
    rows = connection.execute(
        select(event.incident_id, event.type, func.count())
        .where(event.type.in_(types), event.trace_id != "", event.actor != "")
        .group_by(event.incident_id, event.type)
    )
    counts = {(incident_id, EventType(type_)): count for incident_id, type_, count in rows}
    found = []
    for one in stored:
        opened, resolved = (counts.get((one.incident_id, type_), 0) for type_ in types)
        if (opened, resolved) != (1, int(one.status == "resolved")):
            found.append(
                f"incident {one.incident_id} ({one.status}): {opened} events of its beginning, {resolved} of its end"
            )
    return found


class _Bodies:
    """The alerts of the stored bodies, read as they are asked for: a delivery's rows lie close together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: set[str] = set()
        self._left: dict[str, deque[dict[str, Any]]] = {}

    def next_alert(self, delivery_id: str) -> dict[str, Any] | None:
        """The alert of this delivery that comes next in its body."""
        if delivery_id not in self._seen:
            self._seen.add(delivery_id)
            self._left[delivery_id] = deque(self._read(delivery_id))
        alerts = self._left.get(delivery_id)
        if alerts is None:
            return None
        found = alerts.popleft() if alerts else None
        if not alerts:
            del self._left[delivery_id]
        return found

    def left(self) -> Iterator[tuple[str, int]]:
        """How many alerts nobody asked for, by delivery."""
        for delivery_id, alerts in self._left.items():
            yield delivery_id, len(alerts)
        every = self._connection.execute(select(deliveries.c.delivery_id)).scalars().all()
        for delivery_id in every:
            if delivery_id not in self._seen and (missing := len(self._read(delivery_id))):
                yield delivery_id, missing

    def _read(self, delivery_id: str) -> list[dict[str, Any]]:
        one = select(deliveries.c.body).where(deliveries.c.delivery_id == delivery_id)
        return alerts_of(bytes(self._connection.execute(one).scalar_one()))


def _alerts(connection: Connection) -> Iterator[StoredAlert]:
    alert = grafana_alerts.c
    query = select(
        alert.alert_id, alert.delivery_id, alert.disposition, alert.incident_id, alert.incident_key
    ).order_by(alert.alert_id)
    rows = (
        StoredAlert(row.alert_id, row.delivery_id, row.disposition.value, row.incident_id, row.incident_key)
        for row in _stream(connection, query)
    )
    if inspect(connection).has_table(ORDER_TABLE.name):
        places = _places(connection)
        return iter(sorted(rows, key=lambda row: places.get(row.alert_id, 0)))
    return rows


def _places(connection: Connection) -> dict[str, int]:
    """At which place each alert was stored, where ids do not tell: by the order in which the database inserted them.

    Within a transaction that is another order than the ids' own, which are right there: what belongs to an incident is
    inserted first. The ids of one connection rise, since it belongs to one process; so do its transactions' places.
    """
    order = ORDER_TABLE.c
    taken: defaultdict[int, list[int]] = defaultdict(list)
    ids: defaultdict[int, list[str]] = defaultdict(list)
    for number, of, alert in connection.execute(select(order.number, order.connection, order.alert)):
        taken[of].append(number)
        ids[of].append(alert)
    return {
        alert: number
        for of, numbers in taken.items()
        for number, alert in zip(sorted(numbers), sorted(ids[of]), strict=True)
    }


def _stream(connection: Connection, query: Any) -> Iterator[Any]:
    yield from connection.execution_options(stream_results=True, yield_per=_PART).execute(query)


def every_job_ends(evidence: Evidence) -> list[str]:
    """C4: within the time after healing every job is done or dead, and the spool is empty."""
    return list(evidence.unfinished)

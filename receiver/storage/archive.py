"""Rows on their way into an archive, and out of the database once they are in it. A handful of rows is in memory at a
time, and the keys of some more: bodies have 8 MiB at most, and incidents any number of alerts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, or_, select

from receiver.domain.archive_line import BODY, Goes, Line, digest, encode_row
from receiver.storage import retention
from receiver.storage.retention import columns_of, delete_rows, key_of
from receiver.storage.tables import (
    approvals,
    deliveries,
    events,
    grafana_alerts,
    incidents,
    jobs,
    remediation_actions,
)

TABLES = {table.name: table for table in (*retention.CHILDREN, approvals, incidents, deliveries, jobs)}
# Those of which one incident may have any number, and the order of its index there, the primary key last.
_PAGED = {
    grafana_alerts: (grafana_alerts.c.received_at, grafana_alerts.c.alert_id),
    events: (events.c.event_id,),
}
# Keys, rows and bytes of bodies that may be in memory at once.
_MANY, _AT_ONCE, _MOST_BYTES = 2000, 50, 4 * 1024 * 1024

# Which rows: (table, goes) and their keys, each with the digest of what was archived.
Batch = Mapping[tuple[str, str], Mapping[Any, bytes]]


def rows_by_key(
    connection: Connection, table: Table, keys: Collection[Any], goes: Goes = "row"
) -> Iterator[Line]:
    """These rows as lines, in the order of their keys."""
    key = key_of(table)
    for some in _handfuls(connection, table, sorted(keys)):
        query = select(*columns_of(table)).where(key.in_(some)).order_by(key)
        for row in connection.execute(query).mappings():
            yield Line(str(table.name), row[key], msgspec.Raw(encode_row(row)), goes=goes)


def rows_of_incidents(connection: Connection, ids: Collection[str]) -> Iterator[Line]:
    """These incidents, then all that belongs to them."""
    for line in rows_by_key(connection, incidents, ids):
        line.of = str(line.key)
        yield line
    for table in retention.CHILDREN:
        for owners in _keys_of(connection, table, sorted(ids)):
            if table is remediation_actions:
                yield from _approvals(connection, owners)
            yield from _owned(rows_by_key(connection, table, owners), owners)


def _approvals(connection: Connection, owners: Mapping[str, str]) -> Iterator[Line]:
    """The approvals of these actions, of which the incidents are given."""
    own = approvals.c
    query = select(own.approval_id, own.action_id).where(own.action_id.in_(sorted(owners)))
    asked = {one.approval_id: owners[one.action_id] for one in connection.execute(query)}
    yield from _owned(rows_by_key(connection, approvals, asked), asked)


def _owned(lines: Iterator[Line], owners: Mapping[Any, str]) -> Iterator[Line]:
    for line in lines:
        line.of = owners[line.key]
        yield line


def _keys_of(connection: Connection, table: Table, ids: Sequence[str]) -> Iterator[dict[Any, str]]:
    """The keys of these incidents' rows, each with its incident, _MANY at a time."""
    key, incident_id = key_of(table), table.c.incident_id
    query = select(key, incident_id).where(incident_id.in_(ids)).limit(_MANY)
    found = {row[0]: row[1] for row in connection.execute(query)}
    if found and (len(found) < _MANY or table not in _PAGED):
        yield found
    elif found:  # rare: an incident with very many of them
        for one in ids:
            yield from _pages(connection, table, one)


def _pages(connection: Connection, table: Table, incident_id: str) -> Iterator[dict[Any, str]]:
    """The same for one incident, along its index."""
    order = _PAGED[table]
    place: Sequence[Any] | None = None
    while True:
        query = select(*order).where(table.c.incident_id == incident_id).order_by(*order).limit(_MANY)
        if place is not None:
            query = query.where(order[0] >= place[0], or_(order[0] > place[0], order[-1] > place[-1]))
        found = connection.execute(query).all()
        if not found:
            return
        place = found[-1]
        yield {row[-1]: incident_id for row in found}


def _handfuls(connection: Connection, table: Table, keys: Sequence[Any]) -> Iterator[list[Any]]:
    """The keys, as many at a time as may be in memory with all that their rows hold."""
    if table is not deliveries:
        yield from (list(keys[n : n + _AT_ONCE]) for n in range(0, len(keys), _AT_ONCE))
        return
    some, size = [], 0
    for n in range(0, len(keys), _MANY):
        own = deliveries.c
        query = select(own.delivery_id, own.body_bytes).where(own.delivery_id.in_(keys[n : n + _MANY]))
        for one in connection.execute(query.order_by(own.delivery_id)).all():
            some.append(one.delivery_id)
            size += one.body_bytes
            if size > _MOST_BYTES or len(some) >= _AT_ONCE:
                yield some
                some, size = [], 0
    if some:
        yield some


def remove(connection: Connection, batch: Batch) -> Counter[str]:
    """Remove those of these rows that are still as they were archived; how many, by table (`bodies` for bodies).

    The incidents of rows that belong to one must be locked (storage.retention.lock_over), and go last.
    """
    removed: Counter[str] = Counter()
    for (name, goes), wanted in batch.items():
        table = TABLES[name]
        same = _unchanged(connection, table, wanted)
        if goes == BODY:
            removed["bodies"] += retention.empty_bodies(connection, same)
        elif table is grafana_alerts:
            removed[name] += retention.remove_alerts(connection, same)
        elif table is deliveries:
            removed[name] += retention.remove_deliveries(connection, same)
        else:
            removed[name] += delete_rows(connection, table, same)
    return removed


def _unchanged(connection: Connection, table: Table, wanted: Mapping[Any, bytes]) -> list[Any]:
    if table is jobs and wanted:  # people may have one tried again
        locked = select(jobs.c.job_id).where(jobs.c.job_id.in_(sorted(wanted))).order_by(jobs.c.job_id)
        connection.execute(locked.with_for_update())
    found = rows_by_key(connection, table, wanted)
    return [line.key for line in found if digest(bytes(line.row)) == wanted[line.key]]

"""Rows of `incident_facts`: what reports ask of an incident. Each is written anew when events tell of a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, tuple_

from receiver.domain.rollup import Facet
from receiver.storage import alert_rollup, report_days
from receiver.storage.tables import events, incident_facts, incidents
from receiver.storage.upsert import put

_AT_ONCE = 500
_copied = (
    "opened_at",
    "number",
    "incident_id",
    "incident_key",
    "status",
    "priority",
    "severity",
    "owner",
    "acknowledged_by",
    "resolved_by",
    "resolved_at",
)
_incidents = select(
    *(incidents.c[name] for name in _copied),
    *(incidents.c[name] for name in ("rule_uid", "cluster", "namespace", "service", "acknowledged_at")),
    incidents.c.labels,
).where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
_facts = incident_facts.c
_names = frozenset(column.name for column in incident_facts.c)
# Pairs, as the index has them. With a list of keys and one of ids the database looks for each key with each id.
_asked = tuple_(_facts.incident_key, _facts.incident_id).in_(bindparam("pairs", expanding=True))
_before, _after = incident_facts.alias("before_it"), incident_facts.alias("after_it")
_same_key = _before.c.incident_key == _facts.incident_key
_follower = (
    select(_after.c.incident_id)
    .where(_after.c.incident_key == _facts.incident_key, _after.c.incident_id > _facts.incident_id)
    .order_by(_after.c.incident_id)
    .limit(1)
    .scalar_subquery()
)
_followers = select(_facts.incident_key, _follower).where(_asked)
_newest = (
    select(_facts.incident_key, func.max(_facts.incident_id))
    .where(_facts.incident_key.in_(bindparam("keys", expanding=True)))
    .group_by(_facts.incident_key)
)
_recorded = select(incident_facts).where(_asked)
_last_resolved = (
    select(_before.c.resolved_at)
    .where(_same_key, _before.c.incident_id < _facts.incident_id)
    .order_by(_before.c.incident_id.desc())
    .limit(1)
    .scalar_subquery()
)
_neighbours = select(incident_facts, _last_resolved.label("resolved_before")).where(_asked)
_range = (events.c.event_id >= bindparam("from_id"), events.c.event_id < bindparam("until_id"))
_touched = select(events.c.incident_id).distinct().where(*_range, events.c.incident_id.is_not(None))
_events = select(func.count()).select_from(events).where(*_range)
_nth_event = (
    select(events.c.event_id).where(*_range).order_by(events.c.event_id).limit(1).offset(bindparam("rows"))
)


def newest_event(connection: Connection) -> int:
    """The highest id that an event has; 0 if there is none."""
    return connection.execute(select(func.max(events.c.event_id))).scalar() or 0


def bound(connection: Connection, from_id: int, until_id: int, rows: int) -> int:
    """Where to end the stretch of events from `from_id` on: at `until_id`, or earlier if it has more than `rows`."""
    asked = {"from_id": from_id, "until_id": until_id, "rows": rows}
    return connection.execute(_nth_event, asked).scalar() or until_id


def count_events(connection: Connection, from_id: int, until_id: int) -> int:
    """How many events the stretch has."""
    return connection.execute(_events, {"from_id": from_id, "until_id": until_id}).scalar_one()


def touched_by(connection: Connection, from_id: int, until_id: int) -> list[str]:
    """The incidents that events of the stretch tell of."""
    return sorted(connection.execute(_touched, {"from_id": from_id, "until_id": until_id}).scalars())


def record(connection: Connection, incident_ids: Sequence[str]) -> None:
    """Write down the facts of these incidents as they are now; of those that are gone the facts stay as they are."""
    for start in range(0, len(incident_ids), _AT_ONCE):
        _record(connection, incident_ids[start : start + _AT_ONCE])


def _record(connection: Connection, ids: Sequence[str]) -> None:
    found = connection.execute(_incidents, {"ids": list(ids)}).mappings().all()
    if not found:
        return
    facets = {_facet(row).facet_id: (_facet(row), row["labels"].get("alertname", "")[:190]) for row in found}
    alert_rollup.know(connection, facets)
    # In the order of the primary key, as every batch that locks many rows.
    rows = sorted((_values(row) for row in found), key=lambda row: (row["opened_at"], row["number"]))
    recorded = [(row["incident_key"], row["incident_id"]) for row in rows]
    asked = {"pairs": recorded}
    known = {row["incident_id"]: row for row in connection.execute(_recorded, asked).mappings()}
    new = [row for row in rows if _is_changed(known.get(row["incident_id"]), row)]
    put(connection, incident_facts, new, but=frozenset({"calm_seconds"}))
    report_days.doubt(connection, report_days.INCIDENTS, (row["opened_at"] for row in new))
    _settle_calm(connection, sorted({*recorded, *_followers_of(connection, recorded)}))


def _followers_of(connection: Connection, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What came right after each of these, of the same key."""
    keys = sorted({key for key, _ in pairs})
    newest = {(key, last) for key, last in connection.execute(_newest, {"keys": keys})}
    # The database looks for what comes after one among all of its key: a key that flaps has thousands, and mostly
    # nothing came after what has changed.
    older = [pair for pair in pairs if pair not in newest]
    if older:
        found = connection.execute(_followers, {"pairs": older})
        yield from ((key, follower) for key, follower in found if follower is not None)


def _settle_calm(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Set calm_seconds of these (key and id), which hangs on the incident before: that may be recorded later."""
    changed = []
    for row in connection.execute(_neighbours, {"pairs": pairs}).mappings().all():
        calm = _seconds(row["resolved_before"], row["opened_at"])
        if calm != row["calm_seconds"]:
            fact = {name: row[name] for name in _names}
            changed.append({**fact, "calm_seconds": calm})
    changed.sort(key=lambda row: (row["opened_at"], row["number"]))
    put(connection, incident_facts, changed, but=_names - {"calm_seconds"})
    report_days.doubt(connection, report_days.INCIDENTS, (row["opened_at"] for row in changed))


def _is_changed(known: RowMapping | None, row: dict[str, Any]) -> bool:
    return known is None or any(known[name] != value for name, value in row.items())


def _facet(row: RowMapping) -> Facet:
    return Facet(row["rule_uid"], row["cluster"], row["namespace"], row["service"])


def _values(row: RowMapping) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _copied},
        "facet_id": _facet(row).facet_id,
        "ack_seconds": _seconds(row["opened_at"], row["acknowledged_at"]),
        "resolve_seconds": _seconds(row["opened_at"], row["resolved_at"]),
    }


def _seconds(begin: datetime | None, end: datetime | None) -> int | None:
    if begin is None or end is None:
        return None
    return max(0, int((end - begin).total_seconds()))  # two hosts' clocks may differ

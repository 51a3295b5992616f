"""Where alerts and incidents come from, as reports choose and group them: rows of `alert_facets`.

Grouping by a place's column goes in two steps, both in the database: first by facet_id, a number, which makes few rows
of many; then these are joined with their places. Thousands of places never travel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, func, select

from receiver.storage.tables import alert_facets

# The columns by which people group, by the word that they use.
COLUMNS: Mapping[str, str] = {"service": "service", "rule": "rule_uid"}
_WRITTEN_OUT = 2000


@dataclass(frozen=True, slots=True)
class Places:
    """Which places are wanted; what is empty does not restrict."""

    services: Sequence[str] = ()
    clusters: Sequence[str] = ()
    namespaces: Sequence[str] = ()
    rules: Sequence[str] = ()

    def named(self) -> dict[str, Sequence[str]]:
        """By the columns' names; only what restricts."""
        wanted = {
            "service": self.services,
            "cluster": self.clusters,
            "namespace": self.namespaces,
            "rule_uid": self.rules,
        }
        return {name: values for name, values in wanted.items() if values}


def within(connection: Connection, facet_id: Column[Any], places: Places) -> list[ColumnElement[bool]]:
    """The conditions that `facet_id` is one of these places."""
    wanted = places.named()
    if not wanted:
        return []
    own = alert_facets.c
    ids = select(own.facet_id).where(*(own[name].in_(values) for name, values in wanted.items()))
    # Written out, the server sees whether an index by place is shorter than the period; of a subquery it reads the
    # whole period, and looks up each row's place.
    found = connection.execute(ids.limit(_WRITTEN_OUT + 1)).scalars().all()
    return [facet_id.in_(found if len(found) <= _WRITTEN_OUT else ids)]


def names(connection: Connection) -> dict[str, str]:
    """By the uid of each rule a name for it."""
    own = alert_facets.c
    rows = connection.execute(select(own.rule_uid, func.max(own.name)).group_by(own.rule_uid))
    return {rule_uid: name for rule_uid, name in rows}


def by_place(
    connection: Connection, by: str, inner: Select[Any], sums: Sequence[str], joined: Sequence[str] = ()
) -> Sequence[RowMapping]:
    """What `inner` finds by facet_id, by `key` (the service, or the rule's uid, with its `name`).

    Its numbers `sums` are added up; its texts `joined` are put together with commas.
    """
    some = inner.subquery()
    key = alert_facets.c[COLUMNS[by]]
    query = (
        select(
            key.label("key"),
            func.max(alert_facets.c.name).label("name"),
            *(func.sum(some.c[name]).label(name) for name in sums),
            *(func.group_concat(some.c[name]).label(name) for name in joined),
        )
        .join_from(some, alert_facets, alert_facets.c.facet_id == some.c.facet_id)
        .group_by(key)
    )
    return connection.execute(query).mappings().all()

"""Rows of `alert_episodes`: for each member of an incident key, its current episode."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from receiver.domain.alert import AlertStatus
from receiver.domain.ledger import EndedBy, Episode
from receiver.storage.bulk import BulkInsert
from receiver.storage.keyed_select import KeyedSelect
from receiver.storage.tables import alert_episodes

_columns = (
    alert_episodes.c.episode_key,
    alert_episodes.c.incident_key,
    alert_episodes.c.source,
    alert_episodes.c.fingerprint,
    alert_episodes.c.status,
    alert_episodes.c.starts_at,
    alert_episodes.c.last_seen_at,
    alert_episodes.c.ended_at,
    alert_episodes.c.ended_by,
    alert_episodes.c.incident_id,
)
# Without the hint MySQL may scan a small table, and a locking scan locks rows of others.
_lock = KeyedSelect(
    lambda keys: (
        select(*_columns)
        .where(alert_episodes.c.episode_key.in_(keys))
        .order_by(alert_episodes.c.episode_key)
        .with_hint(alert_episodes, "FORCE INDEX (PRIMARY)", "mysql")
        .with_hint(alert_episodes, "FORCE INDEX (PRIMARY)", "mariadb")
        .with_for_update()
    )
)
_names = [column.name for column in alert_episodes.c]
_insert = BulkInsert(alert_episodes, _names)
# One multi-row statement on every engine. The rows exist and this transaction holds their locks, so it replaces nobody
# else's row.
_replace = BulkInsert(alert_episodes, _names, "REPLACE")
_end_all = (
    update(alert_episodes)
    .where(
        alert_episodes.c.incident_id == bindparam("incident"),
        alert_episodes.c.status == AlertStatus.FIRING.value,
    )
    .values(status=AlertStatus.RESOLVED.value, ended_at=bindparam("at"), ended_by=EndedBy.PERSON.value)
)


def lock(connection: Connection, keys: Collection[str]) -> dict[str, Episode]:
    """The episodes with these keys that exist, locked in the order of their keys."""
    return {row[0]: Episode(*row) for row in _lock.rows(connection, sorted(keys))}


def save(connection: Connection, episodes: Iterable[Episode]) -> None:
    """Write those that changed. A new one that somebody else has inserted meanwhile fails as a duplicate (1062)."""
    changed = [episode for episode in episodes if episode.changed]
    fresh = [_row(episode) for episode in changed if not episode.stored]
    known = [_row(episode) for episode in changed if episode.stored]
    if fresh:
        _insert.execute(connection, fresh)
    if known:
        _replace.execute(connection, known)


def end_all(connection: Connection, incident_id: str, ended_at: datetime) -> None:
    """End the firing episodes of an incident that a person resolved. The incident's lock must be held."""
    connection.execute(_end_all, {"incident": incident_id, "at": ended_at})


def _row(episode: Episode) -> dict[str, object]:
    return {
        "episode_key": episode.episode_key,
        "incident_key": episode.incident_key,
        "source": episode.source,
        "fingerprint": episode.fingerprint,
        "status": episode.status,
        "starts_at": episode.starts_at,
        "ended_at": episode.ended_at,
        "ended_by": episode.ended_by,
        "incident_id": episode.incident_id,
        "last_seen_at": episode.last_seen_at,
    }

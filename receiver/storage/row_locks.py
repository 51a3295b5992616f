"""Which incidents' rows somebody else holds just now."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select

from receiver.storage.engine import is_mysql
from receiver.storage.tables import incidents

_open = select(incidents.c.open_key).where(incidents.c.open_key.in_(bindparam("keys", expanding=True)))
_HINT = "FORCE INDEX (uq_incidents_open_key)"
_free = (
    _open.with_hint(incidents, _HINT, "mysql")
    .with_hint(incidents, _HINT, "mariadb")
    .with_for_update(skip_locked=True)
)


def held_keys(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of these incident keys whose open incident is locked by another session; asking waits for nobody.

    A key whose incident ended this very moment may be among them. Until the transaction ends the others are locked by
    it: roll back. SQLite has no locks of rows, and so none is held there.
    """
    if not keys or not is_mysql(connection):
        return set()
    given = {"keys": sorted(keys)}
    found = set(connection.execute(_open, given).scalars())
    return found - set(connection.execute(_free, given).scalars()) if found else set()

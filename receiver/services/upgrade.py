"""`receiver db upgrade`: brings the database to this release's schema, unless that is bound to fail half-way."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from receiver.clock import Clock, utc_now
from receiver.domain.database import upgrade_obstacles
from receiver.errors import SchemaOutOfDate
from receiver.storage import migrate
from receiver.storage.engine import reading
from receiver.storage.inspect import facts_of


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The revisions before and after; `before` is None for an empty database."""

    before: str | None
    after: str


def upgrade_database(engine: Engine, clock: Clock = utc_now) -> Upgrade:
    """Run the migrations that are missing. Repeating it does nothing.

    Raises SchemaOutOfDate, saying what to do, where the account or the server would refuse a part of them: MariaDB and
    MySQL cannot take the parts before it back.
    """
    with reading(engine) as connection:
        facts = facts_of(connection, clock())
    obstacles = upgrade_obstacles(facts)
    if obstacles:
        lines = (f"{found.subject}: {found.text}. {found.advice}" for found in obstacles)
        raise SchemaOutOfDate("it cannot be upgraded.\n  " + "\n  ".join(lines))
    migrate.upgrade(engine)
    return Upgrade(facts.revision, migrate.newest_revision())

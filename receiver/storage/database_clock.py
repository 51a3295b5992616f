"""Times on the database's clock, which all hosts share: now, and so many seconds later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Integer, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from receiver.storage.types import DatabaseNow, UtcDateTime

_now = select(DatabaseNow())


class DatabaseLater(FunctionElement[datetime]):
    """The database's now, as much later as the parameter called `name` says. Give it through `microseconds`."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, name: str) -> None:
        later: BindParameter[int] = bindparam(name, type_=Integer())
        super().__init__(later)


@compiles(DatabaseLater)
def _later_on_mysql(element: DatabaseLater, compiler: Any, **options: Any) -> str:
    return f"TIMESTAMPADD(MICROSECOND, {compiler.process(element.clauses, **options)}, CURRENT_TIMESTAMP(6))"


@compiles(DatabaseLater, "sqlite")
def _later_on_sqlite(element: DatabaseLater, compiler: Any, **options: Any) -> str:
    # The same form as DatabaseNow's: six digits, so that texts compare.
    shift = f"printf('%+.3f seconds', {compiler.process(element.clauses, **options)} / 1000000.0)"
    return f"(strftime('%Y-%m-%d %H:%M:%f000', 'now', {shift}))"


def microseconds(seconds: float) -> int:
    """A time span as DatabaseLater takes it."""
    return round(seconds * 1_000_000)


def now(connection: Connection) -> datetime:
    """The database's time, UTC."""
    return connection.execute(_now).scalar_one()

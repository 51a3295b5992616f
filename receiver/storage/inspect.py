"""What kind of server this is and how it is set up, for `receiver doctor` and `receiver db check`. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, text
from sqlalchemy.engine import make_url

from receiver.domain.database import DatabaseFacts
from receiver.domain.grants import parse_grants
from receiver.storage.engine import is_mysql
from receiver.storage.migrate import bundled, current_revision, newest_revision
from receiver.storage.report_day_table import report_days
from receiver.storage.types import DatabaseNow

_TRIGGER = re.compile(r"^CREATE TRIGGER (\w+)", re.MULTILINE)
# The session's values where there are any: they are what our statements meet.
_VARIABLES = (
    "log_bin",
    "log_bin_trust_function_creators",
    "read_only",
    "super_read_only",
    "time_zone",
    "sql_mode",
    "character_set_connection",
    "max_allowed_packet",
    "innodb_flush_log_at_trx_commit",
)


def facts_of(connection: Connection, own_clock: datetime) -> DatabaseFacts:
    """The server as this account sees it; `own_clock` is the time on this machine."""
    found = DatabaseFacts(
        product="SQLite",
        version=str(connection.execute(text(f"SELECT {_version_function(connection)}()")).scalar_one()),
        clock=connection.execute(select(DatabaseNow())).scalar_one(),
        own_clock=own_clock,
        revision=current_revision(connection),
        newest_revision=newest_revision(),
        triggers=triggers_of(connection),
        expected_triggers=expected_triggers(connection),
        tables=tuple(report_days.metadata.tables),
    )
    if not is_mysql(connection):
        return found
    return replace(
        found,
        product="MariaDB" if "mariadb" in found.version.lower() else "MySQL",
        database=connection.execute(text("SELECT DATABASE()")).scalar() or "",
        variables=_variables(connection),
        grants=parse_grants(connection.execute(text("SHOW GRANTS")).scalars()),
    )


def _version_function(connection: Connection) -> str:
    return "version" if is_mysql(connection) else "sqlite_version"


def triggers_of(connection: Connection) -> frozenset[str]:
    """The names of the triggers that the account can see. MySQL shows them only to those who have TRIGGER."""
    query = (
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
        if is_mysql(connection)
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    return frozenset(connection.execute(text(query)).scalars())


def expected_triggers(connection: Connection) -> frozenset[str]:
    """The names of the triggers that belong to the schema on this kind of server, from its .sql file."""
    file = bundled("sql") / ("triggers.sql" if is_mysql(connection) else "sqlite/triggers.sql")
    return frozenset(_TRIGGER.findall(file.read_text(encoding="utf-8")))


def place_of(url: str) -> str:
    """Where the data of this database URL are, in words and without the credentials."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        memory = parsed.database in (None, "", ":memory:")
        return (
            "memory, gone when the process ends"
            if memory
            else f"the file {Path(str(parsed.database)).absolute()}"
        )
    port = f":{parsed.port}" if parsed.port else ""
    return f"the database {parsed.database or '(none named)'} on {parsed.host or 'localhost'}{port}"


def _variables(connection: Connection) -> Mapping[str, str]:
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = connection.execute(text(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})"))
    found = {str(name): str(value) for name, value in rows}
    return found | {"global.sql_mode": str(connection.execute(text("SELECT @@GLOBAL.sql_mode")).scalar())}

"""postgresql.kill_connections: idle or long-running connections of a PostgreSQL database ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from receiver.domain.action import Order, Plan, Result, Signature
from receiver.errors import DeliveryFailed
from receiver.httpclient.connection import Deadline
from receiver.remediation.connections import (
    PARAMETERS,
    Choice,
    Found,
    choice_problems,
    plan_of,
    result_of,
)
from receiver.remediation.named_database import ANSWER_SECONDS, CONNECT_SECONDS, DatabaseAction

if TYPE_CHECKING:
    from psycopg import Connection

TOTAL_SECONDS = 20
MISSING = "the PostgreSQL driver is not installed: pip install 'alert-receiver[remediation]'"

# Of this database only, and of clients only: replication and the server's own processes are nobody's to end.
# `idle` covers what holds a transaction open and does nothing.
_OURS = """
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()
"""
_CHOSEN = f"""{_OURS}
  AND (%(user)s::text IS NULL OR usename = %(user)s::text)
  AND ((state LIKE 'idle%%' AND now() - state_change >= make_interval(secs => %(idle)s))
    OR (state = 'active' AND now() - query_start >= make_interval(secs => %(running)s)))
"""
_CHOOSE = f"""
SELECT pid, usename, state LIKE 'idle%%', EXTRACT(EPOCH FROM now() - state_change)::bigint {_CHOSEN}
ORDER BY state_change, pid LIMIT %(most)s
"""  # noqa: S608 - put together from constants  # nosec B608
_END = f"SELECT pg_terminate_backend(pid) {_CHOSEN} AND pid = ANY(%(pids)s)"
_COUNT = "SELECT count(*)" + _OURS
# https://www.postgresql.org/docs/current/errcodes-appendix.html: privileges, passwords, no such database
_REFUSED = ("42501", "28000", "28P01", "3D000")


class KillPostgresqlConnections(DatabaseAction):
    """Chooses when it plans, and with one statement ends those of them that still are as they were."""

    engine = "postgresql"
    schemes = ("postgresql", "postgres")
    signature = Signature(
        name="postgresql.kill_connections",
        help="Ends idle or long-running connections of a PostgreSQL database.",
        required=("database",),
        parameters=PARAMETERS,
    )

    def more_problems(self, order: Order) -> list[str]:
        """See DatabaseAction.more_problems."""
        return choice_problems(order)

    def plan(self, order: Order) -> Plan:
        """Reads the server's list of sessions."""
        with self._connected(order) as (connection, _):
            found = [
                Found(int(pid), str(user), bool(is_idle), int(seconds))
                for pid, user, is_idle, seconds in _rows(connection, _CHOOSE, Choice.of(order).values())
            ]
            open_now = int(_rows(connection, _COUNT, {})[0][0])
        return plan_of(self.target_text(order), found, open_now)

    def run(self, order: Order, plan: Plan) -> Result:
        """One statement."""
        if plan.is_noop:
            return Result(plan.text, plan.to_state)
        with self._connected(order) as (connection, progress):
            progress.connected = True  # from here on it may have happened
            rows = _rows(connection, _END, {**Choice.of(order).values(), "pids": list(plan.token)})
        return result_of(self.target_text(order), sum(bool(row[0]) for row in rows), plan)

    @contextmanager
    def _connected(self, order: Order) -> Iterator[tuple[Connection[tuple[Any, ...]], Deadline]]:
        """A connection that is cut when the time is over: libpq by itself waits for ever for a server that hangs."""
        try:
            import psycopg
        except ImportError:
            psycopg = None  # type: ignore[assignment] # what is not installed is told below, outside of the except
        if psycopg is None:
            raise DeliveryFailed(MISSING, permanent=True)
        failure = None
        with Deadline(TOTAL_SECONDS) as deadline:
            try:
                with psycopg.connect(**self._options(order)) as connection:
                    _watch(connection, deadline)
                    yield connection, deadline
            except (psycopg.Error, OSError) as error:
                failure = _failure(getattr(error, "sqlstate", None), deadline)
        if failure is not None:
            # Raised here and not in the `except`: the driver's texts name the host and the user.
            raise failure

    def _options(self, order: Order) -> dict[str, Any]:
        parts = self.parts(order)
        tls = {name: parts.query[name] for name in ("sslmode", "sslrootcert") if name in parts.query}
        return {
            "host": parts.host,
            "port": parts.port or 5432,
            "user": parts.username,
            "password": parts.password,
            "dbname": parts.database or "postgres",
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={ANSWER_SECONDS * 1000}",
            "application_name": "alert-receiver",
            "autocommit": True,
            **tls,
        }


def _watch(connection: Connection[tuple[Any, ...]], deadline: Deadline) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as sock:
        deadline.watch(sock)


def _rows(
    connection: Connection[tuple[Any, ...]], statement: str, values: dict[str, Any]
) -> Sequence[tuple[Any, ...]]:
    return connection.execute(statement.encode(), values).fetchall()


def _failure(sqlstate: str | None, deadline: Deadline) -> DeliveryFailed:
    if sqlstate in _REFUSED:
        reason = f"the database refuses it (error {sqlstate}): its user needs pg_signal_backend, and a right password"
        return DeliveryFailed(reason, permanent=True)
    if deadline.connected:
        return DeliveryFailed("the connection was lost while connections were ended", outcome_unknown=True)
    if sqlstate:
        return DeliveryFailed(f"the database says error {sqlstate}")
    return DeliveryFailed("no connection to the database, or no answer in time")

"""mysql.kill_connections: idle or long-running connections of a MySQL or MariaDB ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import pymysql
from pymysql.constants import CR, ER

from receiver.domain.action import Order, Plan, Result, Signature
from receiver.errors import DeliveryFailed
from receiver.remediation.connections import (
    PARAMETERS,
    Choice,
    Found,
    choice_problems,
    plan_of,
    result_of,
)
from receiver.remediation.named_database import ANSWER_SECONDS, CONNECT_SECONDS, DatabaseAction

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"  # the stubs are generic, it is not

# Replication and the server's own threads are nobody's to end.
_CHOOSE = """
SELECT id, user, command = 'Sleep', time FROM information_schema.processlist
WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler')
  AND (%(user)s IS NULL OR user = %(user)s)
  AND ((command = 'Sleep' AND time >= %(idle)s) OR (command IN ('Query', 'Execute') AND time >= %(running)s))
ORDER BY time DESC, id LIMIT %(most)s
"""
_COUNT = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE user NOT IN ('system user', 'event_scheduler')"
)
# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
_GONE = (ER.NO_SUCH_THREAD,)
_REFUSED = (
    ER.ACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.KILL_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
)
_LOST = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST)


class KillMysqlConnections(DatabaseAction):
    """Chooses when it plans, and when it runs ends those of them that still are as they were."""

    engine = "mysql"
    schemes = ("mysql", "mariadb")
    signature = Signature(
        name="mysql.kill_connections",
        help="Ends idle or long-running connections of a MySQL or MariaDB.",
        required=("database",),
        parameters=PARAMETERS,
    )

    def more_problems(self, order: Order) -> list[str]:
        """See DatabaseAction.more_problems."""
        return choice_problems(order)

    def plan(self, order: Order) -> Plan:
        """Reads the process list."""
        with self._connected(order) as (connection, _):
            return plan_of(
                self.target_text(order),
                _chosen(connection, Choice.of(order)),
                int(_rows(connection, _COUNT, {})[0][0]),
            )

    def run(self, order: Order, plan: Plan) -> Result:
        """KILL for each. An id is never used again while the server runs, so none of them hits another connection."""
        if plan.is_noop:
            return Result(plan.text, plan.to_state)
        with self._connected(order) as (connection, progress):
            still = {one.id for one in _chosen(connection, Choice.of(order))}
            ended = 0
            for number in (number for number in plan.token if number in still):
                progress.has_begun = True
                ended += _kill(connection, number)
        return result_of(self.target_text(order), ended, plan)

    @contextmanager
    def _connected(self, order: Order) -> Iterator[tuple[Connection, _Progress]]:
        progress, failure = _Progress(), None
        try:
            connection = self._connect(order)
            try:
                yield connection, progress
            finally:
                connection.close()
        except (pymysql.err.MySQLError, OSError) as error:
            failure = _failure(error, progress)
        if failure is not None:
            # Raised here and not in the `except`: the driver's texts name the host and the user.
            raise failure

    def _connect(self, order: Order) -> Connection:
        parts = self.parts(order)
        authority = parts.query.get("ssl_ca")
        return pymysql.connect(
            host=parts.host or "127.0.0.1",
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS,
            ssl={"ca": authority} if authority else None,
            autocommit=True,
        )


class _Progress:
    """Whether a KILL has been sent."""

    has_begun = False


def _chosen(connection: Connection, choice: Choice) -> list[Found]:
    return [
        Found(int(number), str(user), bool(is_idle), int(seconds))
        for number, user, is_idle, seconds in _rows(connection, _CHOOSE, choice.values())
    ]


def _rows(connection: Connection, statement: str, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _kill(connection: Connection, number: int) -> bool:
    """Whether it was there to be ended."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("KILL CONNECTION %s", (number,))
    except pymysql.err.MySQLError as error:
        if _code(error) not in _GONE:
            raise
        return False
    return True


def _code(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _failure(error: Exception, progress: _Progress) -> DeliveryFailed:
    code = _code(error)
    if code in _REFUSED:
        reason = f"the database refuses it (error {code}): its user needs PROCESS and CONNECTION_ADMIN"
        return DeliveryFailed(reason, permanent=True)
    if progress.has_begun:
        return DeliveryFailed("the connection was lost while connections were ended", outcome_unknown=True)
    if code in _LOST or isinstance(error, TimeoutError):
        return DeliveryFailed("the database did not answer in time, or cut the connection")
    return DeliveryFailed(f"no connection to the database (error {code})")

"""The database dies, hangs, loses connections, or is held up by others."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

import pymysql
from sqlalchemy import make_url

from faults.bodies import HOT_KEYS
from faults.stack import Stack

_FRESH_SECONDS = 10
_HOLD = "SELECT incident_id FROM incidents WHERE incident_id = %s FOR UPDATE"


def kill_and_restart(stack: Stack, seconds: float) -> None:
    """SIGKILL, and a new start over the same data a few seconds later."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with stack.trouble("MariaDB is dead"):
            stack.database.kill()
            time.sleep(3)
            stack.database.start()
        time.sleep(5)


def restart(stack: Stack, seconds: float) -> None:
    """An operator's clean restart."""
    with stack.trouble("MariaDB restarts"):
        stack.database.shut_down()
        time.sleep(min(seconds, 5))
        stack.database.start()
    time.sleep(2)


def kill_connections(stack: Stack, seconds: float) -> None:
    """Every connection of others is killed, again and again."""
    until = time.monotonic() + seconds
    with stack.trouble("connections are killed"):
        while time.monotonic() < until:
            with connect(stack) as connection, connection.cursor() as cursor:
                _kill_others(cursor)
            time.sleep(2)


def _kill_others(cursor: pymysql.cursors.Cursor) -> None:
    cursor.execute("SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()")
    for (number,) in cursor.fetchall():
        with suppress(pymysql.err.OperationalError):  # it has gone meanwhile
            cursor.execute(f"KILL {number}")


def hang(stack: Stack, seconds: float) -> None:
    """SIGSTOP: connections stay open, and nothing answers."""
    with stack.trouble("MariaDB hangs"):
        stack.database.send(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            stack.database.send(signal.SIGCONT)
        time.sleep(9)  # as long as a statement may take that began while it hung


def stranger_holds_a_row(stack: Stack, seconds: float) -> None:
    """Somebody's session holds the rows of the open incidents of the hot keys. The alerts of others must pass by."""
    with stack.trouble("a stranger holds rows"), connect(stack) as connection, connection.cursor() as cursor:
        # These rows and nothing between them: who locks by a search without an index holds the whole table.
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.begin()
        held = sum(cursor.execute(_HOLD, (incident_id,)) for incident_id in _of_hot_keys(cursor))
        stack.note("held", rows=held)
        time.sleep(seconds)
        with connect(stack) as other, other.cursor() as asking:
            # Once what the intake itself had begun is over, which takes some seconds, all go by way of the spool.
            asking.execute(
                "SELECT COUNT(*) FROM deliveries d JOIN grafana_alerts a ON a.delivery_id = d.delivery_id"
                f" WHERE d.received_at > UTC_TIMESTAMP(6) - INTERVAL {_FRESH_SECONDS} SECOND"
            )
            ((fresh,),) = asking.fetchall()
        stack.note("passed by", alerts=fresh)
        connection.rollback()
    assert held, "there was no row to hold"
    assert fresh, f"alerts of other incidents waited, too: none of the last {_FRESH_SECONDS} s is stored"


def _of_hot_keys(cursor: pymysql.cursors.Cursor) -> list[str]:
    names = [f"svc-{number}" for number in range(HOT_KEYS)]
    cursor.execute("SELECT incident_id FROM incidents WHERE status = 'active' AND service IN %s", (names,))
    return [incident_id for (incident_id,) in cursor.fetchall()]


def read_only(stack: Stack, seconds: float) -> None:
    """An operator, or a failover, makes the server read-only."""
    user = make_url(stack.url).username
    with connect(stack) as connection, connection.cursor() as cursor:
        with stack.trouble("MariaDB is read-only"):
            # Who may write all the same does not notice; a session keeps the rights that it began with.
            cursor.execute(f"REVOKE READ_ONLY ADMIN ON *.* FROM '{user}'@'127.0.0.1'")
            cursor.execute("SET GLOBAL read_only = ON")
            try:
                _kill_others(cursor)
                time.sleep(seconds)
            finally:
                cursor.execute("SET GLOBAL read_only = OFF")
        cursor.execute(f"GRANT READ_ONLY ADMIN ON *.* TO '{user}'@'127.0.0.1'")
    time.sleep(2)


def cut_commits(stack: Stack, seconds: float) -> None:
    """The connection is lost after COMMIT was sent and done, before its answer: nobody knows what became of it."""
    assert stack.cutter is not None
    with stack.trouble("answers to COMMIT are lost"):
        stack.cutter.arm()
        time.sleep(seconds)
        stack.cutter.disarm()
    stack.note("cuts", count=stack.cutter.cuts)


def alter_the_table(stack: Stack, seconds: float) -> None:
    """A DBA rebuilds the table of incidents under load, and takes his column away again."""
    until = time.monotonic() + seconds
    with stack.trouble("ALTER TABLE"), connect(stack) as connection, connection.cursor() as cursor:
        while time.monotonic() < until:
            for change in ("ADD COLUMN of_a_dba INT NULL", "DROP COLUMN of_a_dba"):
                cursor.execute(f"ALTER TABLE incidents {change}, ALGORITHM=COPY")
            blocked = threading.Event()
            blocked.wait(1)


def connect(stack: Stack) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A session of a stranger's."""
    url = make_url(stack.url)
    return pymysql.connect(
        host=str(url.host),
        port=int(url.port or 0),
        user=str(url.username),
        password=str(url.password),
        database=str(url.database),
    )

"""The database dies, hangs, loses connections, or is held up by others."""

from __future__ import annotations

import signal
import threading
import time

import pymysql
from sqlalchemy import make_url

from faults.stack import Stack


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
                cursor.execute("SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()")
                for (number,) in cursor.fetchall():
                    try:
                        cursor.execute(f"KILL {number}")
                    except pymysql.err.OperationalError:  # it has gone meanwhile
                        continue
            time.sleep(2)


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
    """Somebody's session holds the rows of the open incidents of the hot keys."""
    with stack.trouble("a stranger holds rows"), connect(stack) as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute(
            "SELECT incident_id FROM incidents WHERE status = 'active'"
            " AND service IN ('svc-0', 'svc-1', 'svc-2', 'svc-3') FOR UPDATE"
        )
        time.sleep(seconds)
        connection.rollback()


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

"""A Galera cluster of three nodes behind haproxy breaks, or is written to at all nodes at once."""

from __future__ import annotations

import signal
import time
from functools import partial

import pymysql
from sqlalchemy import make_url

from faults.kinds.base import Fault
from faults.stack import Stack
from tests.fakes import tools
from tests.fakes.galera import Galera, Node
from tests.fakes.polling import wait_until

_TAKES_WRITES_WITHIN_SECONDS = 60.0
# As long as a statement may take that began while its node hung.
_STATEMENT_SECONDS = 9.0


class GaleraStack(Stack):
    """The receiver over a cluster. `is_spread`: haproxy leads to all nodes in turn, as if they were one server."""

    is_spread = False

    def _start_database(self) -> None:
        self.galera = self._parts.enter_context(Galera(is_spread=self.is_spread, logs=self.folder / "galera"))
        self.url = self.galera.create_database("receiver")
        with self.galera.nodes[0].connect(database="receiver") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE faults_beat (number INT PRIMARY KEY, at DOUBLE NOT NULL)")
            cursor.execute("INSERT INTO faults_beat VALUES (1, 0)")


class SpreadStack(GaleraStack):
    """The mistake: every node is written to."""

    is_spread = True


def kill_the_writer(stack: GaleraStack, seconds: float) -> None:
    """SIGKILL for the node that takes all writes; it comes back a few seconds later, and another one is the writer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        writer = _writer(stack)
        with stack.trouble("the writer is dead"):
            since = time.monotonic()
            writer.kill()
            _wait_for_writes(stack, since, writer)
            stack.galera.join([writer])
        time.sleep(5)


def stop_the_writer(stack: GaleraStack, seconds: float) -> None:
    """SIGSTOP: its connections stay open and nothing answers; the others go on without it. Then it comes back."""
    writer = _writer(stack)
    with stack.trouble("the writer hangs"):
        since = time.monotonic()
        writer.send(signal.SIGSTOP)
        try:
            _wait_for_writes(stack, since, writer)
            time.sleep(max(0.0, since + seconds - time.monotonic()))
        finally:
            writer.send(signal.SIGCONT)
        stack.note("mended", done=stack.galera.mend())
        time.sleep(_STATEMENT_SECONDS)


def lose_the_quorum(stack: GaleraStack, seconds: float) -> None:
    """Two of three hang: the one that is left must take nothing. They come back, and it goes on."""
    writer = _writer(stack)
    others = [node for node in stack.galera.nodes if node is not writer]
    with stack.trouble("there is no quorum"):
        for node in others:
            node.send(signal.SIGSTOP)
        try:
            wait_until(lambda: not writer.is_ready(), 30, "a node that says that it has no quorum")
            wait_until(lambda: stack.galera.writer() is None, 30, "a haproxy that leads nowhere")
            time.sleep(seconds)
        finally:
            since = time.monotonic()
            for node in others:
                node.send(signal.SIGCONT)
        # Under load a node that slept may leave for good; then somebody has to start it anew.
        stack.note("mended", done=stack.galera.mend())
        _wait_for_writes(stack, since, None, "quorum_return_seconds")
        time.sleep(_STATEMENT_SECONDS)


def kill_all(stack: GaleraStack, seconds: float) -> None:
    """SIGKILL for all three at once, and what docs/galera.md has an operator do: begin anew from the most advanced."""
    with stack.trouble("all nodes are dead"):
        for node in stack.galera.nodes:
            node.kill()
        time.sleep(seconds)
        since = time.monotonic()
        first = stack.galera.recover()
        stack.note("recovered", node=first.name)
        _wait_for_writes(stack, since, None, "recovery_seconds")
    time.sleep(2)


def write_everywhere(stack: GaleraStack, seconds: float) -> None:
    """Nothing breaks; it is only that the same keys are written at all nodes."""
    with stack.trouble("all nodes are written to"):
        time.sleep(seconds)
    for node in stack.galera.nodes:
        status = node.status()
        names = ("wsrep_local_cert_failures", "wsrep_local_bf_aborts", "wsrep_local_commits")
        stack.note("node", node=node.name, **{name: int(status[name]) for name in names})


def _writer(stack: GaleraStack) -> Node:
    writer = stack.galera.writer()
    assert writer is not None, "haproxy leads to no node"
    stack.note("writer", node=writer.name)
    return writer


def _wait_for_writes(
    stack: GaleraStack, since: float, but: Node | None, figure: str = "failover_seconds"
) -> None:
    """Return when a write through haproxy has been committed, and note how long after `since` that was."""

    def is_written() -> bool:
        url = make_url(stack.url)
        try:
            with pymysql.connect(
                host="127.0.0.1",
                port=stack.galera.port,
                user=str(url.username),
                password=str(url.password),
                database=str(url.database),
                connect_timeout=1,
                read_timeout=1,
                autocommit=True,
            ) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT @@wsrep_node_name")
                (name,) = cursor.fetchone() or ("",)
                if but is not None and name == but.name:
                    return False
                cursor.execute("UPDATE faults_beat SET at = %s", (time.time(),))
        except (pymysql.err.MySQLError, OSError):
            return False
        return True

    wait_until(is_written, _TAKES_WRITES_WITHIN_SECONDS, "a write through haproxy")
    taken = round(time.monotonic() - since, 2)
    stack.note("writable", after=taken)
    stack.note("figure", name=figure, value=taken)


def why_impossible() -> str:
    """Galera's library and haproxy are needed; MissingTool says what to do where they are not there."""
    try:
        tools.require_galera()
        tools.require("haproxy")
    except tools.MissingTool as missing:
        return str(missing)
    return ""


# Three database servers take a share of the machine that elsewhere is the receivers'.
_fault = partial(Fault, stack=GaleraStack, impossible=why_impossible, rate=40)
FAULTS = (
    _fault("galera-kill", "Galera: kill -9 of the writer", kill_the_writer, 30),
    _fault("galera-stop", "Galera: the writer stopped (SIGSTOP) for 30 s", stop_the_writer, 30),
    _fault("galera-quorum", "Galera: two of three stopped for 20 s, no quorum", lose_the_quorum, 20),
    _fault("galera-all", "Galera: kill -9 of all three, and recovery", kill_all, 5),
    _fault(
        "galera-everywhere",
        "Galera: all nodes are written to at once",
        write_everywhere,
        40,
        stack=SpreadStack,
    ),
)
